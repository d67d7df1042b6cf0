namespace FuncX.Service.Tasks;

/// <summary>Bounds what one submit stream has in flight, in messages and in bytes; the stream is read no further while it is full.</summary>
internal sealed class PendingSubmissions(int mostMessages, long mostBytes)
{
    private readonly object _gate = new();
    private int _messages;
    private long _bytes;
    private TaskCompletionSource? _room;

    /// <summary>Takes a place; completes when there is one. For one reader.</summary>
    public ValueTask EnterAsync(int bytes)
    {
        lock (_gate)
        {
            if (_messages == 0 || (_messages < mostMessages && _bytes + bytes <= mostBytes))
            {
                _messages++;
                _bytes += bytes;
                return ValueTask.CompletedTask;
            }

            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return AgainAsync(bytes);
    }

    public void Leave(int messages, long bytes)
    {
        TaskCompletionSource? room;
        lock (_gate)
        {
            _messages -= messages;
            _bytes -= bytes;
            room = _room;
            _room = null;
        }

        room?.SetResult();
    }

    private async ValueTask AgainAsync(int bytes)
    {
        Task room;
        lock (_gate)
            room = _room?.Task ?? Task.CompletedTask;
        await room;
        await EnterAsync(bytes);
    }
}
