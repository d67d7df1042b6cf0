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
/// Results that travel up together, kept until they are durable: whole ones as far as they fit into one message, or a single larger one, which is sent in parts and
/// is durable as a whole or not at all. The ledger holds one reference and whoever sends or spools it another; the frames' buffers go back with the last.
/// </summary>
internal sealed class HeldMessage : ResultsMessage
{
    private static readonly DefaultObjectPool<HeldMessage> _pool = new(new DefaultPooledObjectPolicy<HeldMessage>(), 256);

    private readonly Lock _gate = new();
    private int _references;
    private LinkSession? _session;

    /// <summary>Marks of managers that are covered once this message and all before it are durable.</summary>
    public List<(ManagerPeer Peer, ulong Mark)> Marks { get; } = [];

    public MessageState State { get; set; }

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

    /// <summary>It does not fit into one message of the link.</summary>
    public bool IsLarge => Bytes > ResultLedger.LargestMessage;

    /// <summary>It is handed to a link, which numbers it when it is written. Until then no commit is about it.</summary>
    public void SendOn(LinkSession session)
    {
        lock (_gate)
            (_session, Sequence) = (session, ulong.MaxValue);
        State = MessageState.Sent;
    }

    /// <summary>Its number on a link, of a large one that of its last part. A link that was broken off meanwhile has nothing more to say.</summary>
    public void Number(LinkSession session, ulong sequence)
    {
        lock (_gate)
        {
            if (ReferenceEquals(_session, session))
                Sequence = sequence;
        }
    }

    /// <summary>The messages of the link that one too large for one is sent in, in order. They belong to this one and live as long.</summary>
    public IEnumerable<ResultsMessage> Parts()
    {
        var part = new Part();
        foreach (var frames in Frames)
        {
            if (part.Bytes > 0 && part.Bytes + frames.Length > ResultLedger.LargestMessage)
            {
                yield return part;
                part = new Part();
            }

            part.Frames.Add(frames);
            part.Bytes += frames.Length;
        }

        yield return part;
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
        _session = null;
        Sequence = 0;
        Bytes = Results = 0;
        Committed = null;
        _pool.Return(this);
    }

    private sealed class Part : ResultsMessage;
}
