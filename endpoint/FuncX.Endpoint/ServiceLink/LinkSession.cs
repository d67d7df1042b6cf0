using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using Grpc.Core;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// The sending half of one link: a short queue and one sender at a time, which writes on the loop's own thread when there is little to send and nothing under way.
/// Results wait in the ledger, not here, so that they gather while the link is busy. What is no result goes before them; both go between the parts of a large one, which would hold them
/// up for as long as it takes. Messages of results are numbered as they are written.
/// </summary>
internal sealed class LinkSession(IClientStreamWriter<OutgoingMessage> writer, HopCounter hops, Action onRoom, Action<Exception> onFailed) : IThreadPoolWorkItem
{
    private const int InlineBytes = 32 << 10;
    private const int QueuedResults = 2;

    private readonly Lock _gate = new();
    private readonly Queue<OutgoingMessage> _control = new();
    private readonly Queue<HeldMessage> _held = new();
    private int _results;
    private bool _sending;
    private bool _wantsRoom;
    private bool _closed;
    private ulong _sequence;

    /// <summary>Whether results may be sent now; when not, the owner is told once they may.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate)
            {
                _wantsRoom = _results >= QueuedResults && !_closed;
                return !_wantsRoom && !_closed;
            }
        }
    }

    public void Send(EndpointMessage message) => Send(new PlainMessage(message));

    /// <summary>Queues a message and has it sent; takes over one reference.</summary>
    public void Send(OutgoingMessage message)
    {
        lock (_gate)
        {
            if (_closed)
            {
                message.Release();
                return;
            }

            if (message is HeldMessage held)
            {
                _held.Enqueue(held);
                _results++;
            }
            else
            {
                _control.Enqueue(message);
            }

            if (_sending)
                return;
            _sending = true;
        }

        if (message.Bytes <= InlineBytes)
            _ = SendAsync();
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
    }

    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            while (_control.TryDequeue(out var message))
                message.Release();
            while (_held.TryDequeue(out var message))
                message.Release();
        }
    }

    void IThreadPoolWorkItem.Execute() => _ = SendAsync();

    private async Task SendAsync()
    {
        try
        {
            while (TryTake(out var message))
                await SendAsync(message);
        }
        catch (Exception problem)
        {
            // Whatever it is: a link that nobody writes to any more has to end, and the next one announces everything again.
            try
            {
                Close();
            }
            finally
            {
                onFailed(problem);
            }
        }
    }

    private async ValueTask WriteAsync(OutgoingMessage message)
    {
        if (message is not HeldMessage held)
        {
            await writer.WriteAsync(message);
            return;
        }

        FailPoints.Pass("before-link-send");
        if (held.IsLarge)
        {
            await WritePartsAsync(held);
        }
        else
        {
            held.Number(this, ++_sequence);
            await writer.WriteAsync(message);
        }

        FailPoints.Pass("after-link-send");
        hops.ResultsSent += held.Results;
    }

    private async ValueTask WritePartsAsync(HeldMessage held)
    {
        var written = 0;
        foreach (var part in held.Parts())
        {
            while (TryTakeBetween(out var message))
                await SendAsync(message);
            part.Sequence = ++_sequence;
            written += part.Bytes;
            if (written == held.Bytes)
                held.Number(this, part.Sequence);
            await writer.WriteAsync(part);
        }
    }

    private async ValueTask SendAsync(OutgoingMessage message)
    {
        try
        {
            await WriteAsync(message);
        }
        finally
        {
            message.Release();
        }

        if (MakesRoom(message))
            onRoom();
    }

    /// <summary>A message is gone; true when the owner waits to be told.</summary>
    private bool MakesRoom(OutgoingMessage message)
    {
        lock (_gate)
        {
            if (message is HeldMessage)
                _results--;
            if (!_wantsRoom || _results >= QueuedResults)
                return false;
            _wantsRoom = false;
            return true;
        }
    }

    private bool TryTake(out OutgoingMessage message)
    {
        lock (_gate)
        {
            if (!_control.TryDequeue(out message!) && _held.TryDequeue(out var held))
                message = held;
            _sending = message is not null;
            return _sending;
        }
    }

    // Not another large one: the service puts as many together as come, and each keeps what was sent behind its beginning from being acknowledged.
    private bool TryTakeBetween(out OutgoingMessage message)
    {
        lock (_gate)
        {
            if (_control.TryDequeue(out message!))
                return true;
            if (!_held.TryPeek(out var held) || held.IsLarge)
                return false;
            message = _held.Dequeue();
            return true;
        }
    }
}
