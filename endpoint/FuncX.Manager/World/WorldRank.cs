using FuncX.Manager.World.Functions;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// What the leader knows of a rank, and what waits to go there: frames in the order the endpoint sent them, and control frames that need not wait for them. Changed
/// under the leader's lock.
/// </summary>
internal sealed class WorldRank(WorldPeer peer, MpiBufferPool buffers)
{
    // A message grows until it is sent or has this size; a larger frame has one of its own.
    private const int MessageBytes = 16 * 1024;

    private readonly Queue<Outgoing> _frames = new();
    private readonly Queue<Outgoing> _control = new();
    private Outgoing? _filling;
    private Outgoing? _controlFilling;
    private int _greetings;

    public WorldPeer Peer => peer;

    /// <summary>Of the registration that holds; 0: the endpoint does not know this rank on the link that is there.</summary>
    public uint Generation { get; set; }

    /// <summary>The generation that the rank was told last.</summary>
    public uint Told { get; set; }

    /// <summary>How many managers it is; more than one when they are simulated.</summary>
    public int Managers { get; set; } = 1;

    /// <summary>Nothing was heard for too long.</summary>
    public bool Silent { get; set; }

    /// <summary>Its manager has ended.</summary>
    public bool Done { get; set; }

    /// <summary>It waits in the leader's list of ranks that something is to be sent to.</summary>
    public bool Listed { get; set; }

    /// <summary>It has to be told to drain, with so many milliseconds of patience (0: without an end).</summary>
    public uint? Drain { get; set; }

    public bool HasFrames => _filling is not null || _frames.Count > 0;

    public bool HasControl => _controlFilling is not null || _control.Count > 0;

    /// <summary>Appends frames of one kind of message; returns by how much what waits here has grown.</summary>
    public int Add(int tag, ReadOnlySpan<byte> frames)
    {
        var grown = MakeRoom(tag, frames.Length, out var room);
        frames.CopyTo(room);
        return grown;
    }

    /// <summary>Appends what one of the rank's managers is told of a function, likewise.</summary>
    public int Add(KeptFunction function, uint destination)
    {
        var grown = MakeRoom(WorldTag.Frames, function.Length, out var room);
        function.Write(room, destination);
        return grown;
    }

    private int MakeRoom(int tag, int bytes, out Span<byte> room)
    {
        // Before an answer to its hello a manager hears nothing: what follows one that waits stays behind it.
        if (tag == WorldTag.Control && _greetings > 0)
            tag = WorldTag.Frames;
        ref var filling = ref tag == WorldTag.Control ? ref _controlFilling : ref _filling;
        var grown = bytes;
        if (filling is not null && (filling.Tag != tag || filling.Buffer.Length + bytes > filling.Buffer.Capacity))
        {
            (tag == WorldTag.Control ? _control : _frames).Enqueue(filling);
            filling = null;
        }

        if (filling is null)
        {
            filling = new Outgoing(tag, buffers.Rent(Math.Max(MessageBytes, WorldPrefix.Size + bytes)));
            filling.Buffer.Length = WorldPrefix.Size;
            if (tag == WorldTag.Greetings)
                _greetings++;
            grown += WorldPrefix.Size;
        }

        var at = filling.Buffer.Length;
        filling.Buffer.Length = at + bytes;
        room = filling.Buffer.Span[at..];
        return grown;
    }

    /// <summary>The next control message.</summary>
    public Outgoing TakeControl() => Take(_control, ref _controlFilling);

    /// <summary>Length of the next message of frames.</summary>
    public int NextBytes => (_frames.TryPeek(out var next) ? next : _filling!).Buffer.Length;

    /// <summary>The next message of frames.</summary>
    public Outgoing TakeFrames()
    {
        var next = Take(_frames, ref _filling);
        if (next.Tag == WorldTag.Greetings)
            _greetings--;
        return next;
    }

    /// <summary>Drops what waits; returns how much it was.</summary>
    public int Drop()
    {
        var bytes = 0;
        while (HasFrames)
            bytes += Free(TakeFrames());
        while (HasControl)
            bytes += Free(TakeControl());
        return bytes;
    }

    /// <summary>The message that a frame for a manager travels in. What concerns tasks (Cancel, Recall, Drain) stays behind them.</summary>
    public static int TagOf(FrameKind kind) => kind switch
    {
        FrameKind.Welcome or FrameKind.Refused => WorldTag.Greetings,
        FrameKind.Ack or FrameKind.Heartbeat => WorldTag.Control,
        _ => WorldTag.Frames,
    };

    private static Outgoing Take(Queue<Outgoing> queue, ref Outgoing? filling)
    {
        if (queue.TryDequeue(out var next))
            return next;
        next = filling!;
        filling = null;
        return next;
    }

    private static int Free(Outgoing message)
    {
        var bytes = message.Buffer.Length;
        message.Buffer.Dispose();
        return bytes;
    }

    /// <param name="Tag">What kind of message it is.</param>
    /// <param name="Buffer">With room for the prefix in front.</param>
    internal sealed record Outgoing(int Tag, MpiBuffer Buffer);
}
