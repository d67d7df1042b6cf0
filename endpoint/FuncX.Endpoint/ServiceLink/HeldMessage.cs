using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using Microsoft.Extensions.ObjectPool;

namespace FuncX.Endpoint.ServiceLink;

internal enum MessageState : byte
{
    /// <summary>In memory, not sent on the present link.</summary>
    Waiting,

    /// <summary>Sent on the present link, not committed.</summary>
    Sent,

    /// <summary>Being written to the spool.</summary>
    Spooling,

    /// <summary>Durable: at the service or in the spool.</summary>
    Done,
}

/// <summary>
/// Results that travel up in one message, kept until they are durable. The ledger holds one reference and whoever sends or spools it another; the frames'
/// buffers go back with the last.
/// </summary>
internal sealed class HeldMessage : OutgoingMessage
{
    private static readonly DefaultObjectPool<HeldMessage> _pool = new(new DefaultPooledObjectPolicy<HeldMessage>(), 256);

    private int _references;

    public List<FrameSlice> Frames { get; } = [];

    /// <summary>Marks of managers that are covered once this message and all before it are durable.</summary>
    public List<(ManagerPeer Peer, ulong Mark)> Marks { get; } = [];

    public MessageState State { get; set; }

    public ulong Sequence { get; set; }

    public int Results { get; set; }

    /// <summary>Read back from the spool: its end is told to the spool, not to managers.</summary>
    public Action? Committed { get; set; }

    /// <summary>An empty message with one reference: the caller's.</summary>
    public static HeldMessage New()
    {
        var message = _pool.Get();
        Volatile.Write(ref message._references, 1);
        return message;
    }

    public void Retain() => Interlocked.Increment(ref _references);

    public override void Release()
    {
        if (Interlocked.Decrement(ref _references) > 0)
            return;
        foreach (var frame in Frames)
            frame.Buffer.Release();
        Frames.Clear();
        Marks.Clear();
        State = MessageState.Waiting;
        Sequence = 0;
        Bytes = Results = 0;
        Committed = null;
        _pool.Return(this);
    }
}
