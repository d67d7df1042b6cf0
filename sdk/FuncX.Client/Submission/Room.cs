namespace FuncX.Client.Submission;

/// <summary>
/// A bounded amount of something (bytes, calls) that those who would exceed it wait for, in order. One request larger than all of it passes alone.
/// </summary>
internal sealed class Room
{
    private readonly Lock _gate = new();
    private readonly long _size;
    private readonly Queue<(long Amount, TaskCompletionSource Granted)> _waiting = new();
    private long _used;

    public Room(long size) => _size = size;

    public long Used
    {
        get
        {
            lock (_gate)
                return _used;
        }
    }

    /// <summary>Takes <paramref name="amount"/>; what was taken is given back once with <see cref="Leave"/>.</summary>
    public ValueTask EnterAsync(long amount, CancellationToken cancellation)
    {
        lock (_gate)
        {
            if (_waiting.Count == 0 && Fits(amount))
            {
                _used += amount;
                return ValueTask.CompletedTask;
            }

            var granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((amount, granted));
            return new ValueTask(cancellation.CanBeCanceled ? WaitAsync(amount, granted, cancellation) : granted.Task);
        }
    }

    public void Leave(long amount)
    {
        lock (_gate)
        {
            _used -= amount;
            while (_waiting.TryPeek(out var next) && (next.Granted.Task.IsCompleted || Fits(next.Amount)))
            {
                _waiting.Dequeue();
                if (next.Granted.TrySetResult())
                    _used += next.Amount;
            }
        }
    }

    private bool Fits(long amount) => _used == 0 || _used + amount <= _size;

    private async Task WaitAsync(long amount, TaskCompletionSource granted, CancellationToken cancellation)
    {
        await using var registration = cancellation.UnsafeRegister(static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), granted);
        try
        {
            await granted.Task;
        }
        catch (OperationCanceledException)
        {
            // It may have stood in front of others that fit.
            Leave(0);
            throw;
        }
    }
}
