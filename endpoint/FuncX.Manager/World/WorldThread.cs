using System.Buffers;
using FuncX.Manager.Interop;
using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary>The loop that owns MPI: receives, has its parts send, asks about sends, and sleeps while nothing goes on. Benchmark: scale.</summary>
internal sealed class WorldThread(MpiRuntime mpi)
{
    private const int MostMessages = 64;

    /// <summary>
    /// Of a longer message the rest may come only when its sender does something for it (rendezvous), and a sender may stop or die: it is received without waiting. A shorter one is there
    /// with its announcement under every library.
    /// </summary>
    private const int WholeBytes = 2048;

    /// <summary>How often it asks whether it has to wait for a processor.</summary>
    private const long CrowdedMicroseconds = 5_000;
    private const long PatienceMicroseconds = 100;

    /// <summary>How long sends may take to finish at the end.</summary>
    private const long LastSendsMicroseconds = 2_000_000;

    private readonly object?[] _slots = new object?[mpi.Sends.Capacity];

    // Of the sends among them: bytes that count against the peer's window.
    private readonly int[] _counted = new int[mpi.Sends.Capacity];

    // Sends that failed at once: in the middle of what a part does it cannot be told.
    private readonly Queue<(WorldPeer Peer, string Why)> _refused = new();

    // By rank: messages behind one that is not there completely wait for it.
    private readonly Queue<Incoming>?[] _incoming = new Queue<Incoming>?[mpi.World.Size];
    private readonly MpiSendCompletion[] _finished = new MpiSendCompletion[64];
    private readonly WorldBackOff _backOff = new();
    private readonly WorldWake _wake = new();
    private Crowding? _crowding;
    private long _crowdedAt;
    private WorldEnd? _end;

    public MpiRuntime Mpi => mpi;

    /// <summary>Has the loop look at its parts now. From any thread.</summary>
    public void Wake() => _wake.Tell();

    /// <summary>Ends the loop; the first end holds. From any thread.</summary>
    public void End(int code, string reason, bool together = false)
    {
        Interlocked.CompareExchange(ref _end, new WorldEnd(code, reason, together), null);
        Wake();
    }

    /// <summary>Serves the parts until one of them says that it is over.</summary>
    public WorldEnd Run(IWorldPart[] parts)
    {
        while (true)
        {
            var traffic = Receive(parts);
            var news = _wake.TakeNews();
            var now = NodeTimer.Now;
            foreach (var part in parts)
                traffic |= part.Send(news, now);
            traffic |= Test(parts);
            while (_refused.TryDequeue(out var refused))
                TellFailed(parts, refused.Peer, refused.Why);
            if (Volatile.Read(ref _end) is { } end)
                return LetFinish(end, parts);
            if (traffic)
            {
                _backOff.OnTraffic(now);
                continue;
            }

            var pause = _backOff.Next(now);
            if (pause == 0)
                continue;
            if (now >= _crowdedAt)
            {
                _crowdedAt = now + CrowdedMicroseconds;
                _crowding ??= new Crowding(PatienceMicroseconds);
                _backOff.Crowded = _crowding.Look();
            }

            foreach (var part in parts)
                pause = Math.Min(pause, part.Due - now);
            // What is due may have to wait for room.
            _wake.Sleep(Math.Max(pause, WorldBackOff.ShortestMicroseconds));
        }
    }

    /// <summary>Starts a send; the peer's place among those that run is freed when it has finished. Of one that fails the parts are told.</summary>
    /// <param name="counted">Bytes that count against the peer's window; given back when the send fails.</param>
    public void Send(WorldPeer peer, int tag, MpiBuffer buffer, int counted = 0) => Send(peer, tag, buffer.Memory, buffer, counted);

    /// <summary>The same with memory that others may send at the same time.</summary>
    /// <param name="owner">Disposed when this send has finished.</param>
    public void Send(WorldPeer peer, int tag, ReadOnlyMemory<byte> message, IDisposable owner, int counted = 0)
    {
        try
        {
            if (!mpi.World.TryStartSend(message, peer.Rank, tag, out var id, owner))
                throw new InvalidOperationException($"{mpi.Sends.Capacity} sends are unfinished, more than {mpi.World.Size} ranks may have");
            _slots[id.Slot] = peer;
            _counted[id.Slot] = counted;
            peer.Unfinished++;
        }
        catch (MpiException problem)
        {
            owner.Dispose();
            peer.Uncount(counted);
            _refused.Enqueue((peer, problem.Message));
        }
    }

    private bool Receive(IWorldPart[] parts)
    {
        var traffic = false;
        for (var i = 0; i < MostMessages && mpi.World.TryProbe(MpiCommunicator.AnySource, MpiCommunicator.AnyTag, out var message); i++)
        {
            IWorldPart? part = null;
            foreach (var each in parts)
                part = part is null && each.Takes(message.Tag) ? each : part;
            if (part is null)
                mpi.World.Receive(message).Dispose();
            else
                traffic |= Receive(part, message);
        }

        return traffic;
    }

    private bool Receive(IWorldPart part, MpiMessage message)
    {
        var room = part.Room(message.Tag, message.Bytes);
        var memory = room.Memory[..message.Bytes];
        var waiting = _incoming[message.Source];
        var whole = message.Bytes <= WholeBytes;
        var began = default(MpiSendId);
        string? failure = null;
        try
        {
            if (whole)
                mpi.World.Receive(message, memory.Span);
            else if (!mpi.World.TryStartReceive(message, memory, out began))
                throw new InvalidOperationException($"{mpi.Sends.Capacity} sends and receives are unfinished, more than {mpi.World.Size} ranks may have");
        }
        catch (MpiException problem)
        {
            failure = problem.Message;
        }

        if (whole && failure is null && waiting is not { Count: > 0 })
            return part.OnMessage(message.Source, message.Tag, room, message.Bytes);
        var incoming = new Incoming(part, message.Envelope, room) { Whole = whole || failure is not null, Failure = failure };
        if (!incoming.Whole)
            _slots[began.Slot] = incoming;
        waiting ??= _incoming[message.Source] = new Queue<Incoming>();
        waiting.Enqueue(incoming);
        if (failure is not null)
            _ = Deliver(waiting);
        return true;
    }

    private bool Test(IWorldPart[] parts)
    {
        if (mpi.Sends.Outstanding == 0)
            return false;
        var traffic = false;
        var count = mpi.Sends.Test(_finished);
        for (var i = 0; i < count; i++)
        {
            var slot = _finished[i].Id.Slot;
            var began = _slots[slot];
            _slots[slot] = null;
            if (began is Incoming incoming)
            {
                incoming.Whole = true;
                if (!_finished[i].Succeeded)
                    incoming.Failure = $"receiving {incoming.Envelope.Bytes} bytes with tag {incoming.Envelope.Tag} from rank {incoming.Envelope.Source} failed: \"{mpi.ErrorText(_finished[i].Error)}\"";
                traffic |= Deliver(_incoming[incoming.Envelope.Source]!);
            }
            else if (began is WorldPeer peer)
            {
                peer.Unfinished--;
                foreach (var part in parts)
                    part.OnFinished(peer);
                if (_finished[i].Succeeded)
                    continue;
                peer.Uncount(_counted[slot]);
                TellFailed(parts, peer, $"a send to rank {peer.Rank} failed: \"{mpi.ErrorText(_finished[i].Error)}\"");
            }
        }

        return traffic;
    }

    private static bool Deliver(Queue<Incoming> waiting)
    {
        var traffic = false;
        while (waiting.TryPeek(out var next) && next.Whole)
        {
            waiting.Dequeue();
            if (next.Failure is null)
            {
                traffic |= next.Part.OnMessage(next.Envelope.Source, next.Envelope.Tag, next.Room, next.Envelope.Bytes);
                continue;
            }

            next.Room.Dispose();
            next.Part.OnReceiveFailed(next.Envelope.Source, next.Envelope.Tag, next.Envelope.Bytes, next.Failure);
        }

        return traffic;
    }

    private static void TellFailed(IWorldPart[] parts, WorldPeer peer, string why)
    {
        foreach (var part in parts)
            part.OnSendFailed(peer, why);
    }

    // The last words are on their way; what is for ranks that are gone never finishes.
    private WorldEnd LetFinish(WorldEnd end, IWorldPart[] parts)
    {
        var until = NodeTimer.Now + LastSendsMicroseconds;
        while (mpi.Sends.Outstanding > 0 && NodeTimer.Now < until)
        {
            Test(parts);
            // Self messages and those of ranks that end too are taken, or their senders would not finish.
            for (var i = 0; i < MostMessages && mpi.World.TryProbe(MpiCommunicator.AnySource, MpiCommunicator.AnyTag, out var message); i++)
                mpi.World.Receive(message).Dispose();
            _wake.Sleep(WorldBackOff.ShortestMicroseconds);
        }

        return end;
    }

    private sealed class Incoming(IWorldPart part, MpiEnvelope envelope, IMemoryOwner<byte> room)
    {
        public IWorldPart Part => part;

        public MpiEnvelope Envelope => envelope;

        public IMemoryOwner<byte> Room => room;

        public bool Whole { get; set; }

        /// <summary>Why it could not be received; null: it could.</summary>
        public string? Failure { get; set; }
    }
}
