using FuncX.Manager.Interop;
using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary>The loop that owns MPI: receives, has its parts send, asks about sends, and sleeps while nothing goes on. Benchmark: scale.</summary>
internal sealed class WorldThread(MpiRuntime mpi)
{
    private const int MostMessages = 64;

    /// <summary>How long sends may take to finish at the end.</summary>
    private const long LastSendsMicroseconds = 2_000_000;

    private readonly WorldPeer?[] _slots = new WorldPeer?[mpi.Sends.Capacity];
    private readonly MpiSendCompletion[] _finished = new MpiSendCompletion[64];
    private readonly WorldBackOff _backOff = new();
    private readonly WorldWake _wake = new();
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
    public WorldEnd Run(IReadOnlyList<IWorldPart> parts)
    {
        while (true)
        {
            var traffic = Receive(parts);
            var news = _wake.TakeNews();
            var now = NodeTimer.Now;
            foreach (var part in parts)
                traffic |= part.Send(news, now);
            Test(parts);
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
            foreach (var part in parts)
                pause = Math.Min(pause, part.Due - now);
            // What is due may have to wait for room.
            _wake.Sleep(Math.Max(pause, WorldBackOff.ShortestMicroseconds));
        }
    }

    /// <summary>Starts a send; the peer's place among those that run is freed when it has finished.</summary>
    public void Send(WorldPeer peer, int tag, MpiBuffer buffer)
    {
        try
        {
            if (!mpi.World.TryStartSend(buffer.Memory, peer.Rank, tag, out var id, owner: buffer))
                throw new InvalidOperationException($"{mpi.Sends.Capacity} sends are unfinished, more than {mpi.World.Size} ranks may have");
            _slots[id.Slot] = peer;
            peer.Unfinished++;
        }
        catch (MpiException)
        {
            // A rank that is not there any more. It is silent from now on, which is how its end is told.
            buffer.Dispose();
        }
    }

    private bool Receive(IReadOnlyList<IWorldPart> parts)
    {
        var traffic = false;
        for (var i = 0; i < MostMessages && mpi.World.TryProbe(MpiCommunicator.AnySource, MpiCommunicator.AnyTag, out var message); i++)
        {
            var taken = false;
            foreach (var part in parts)
            {
                if (!part.TryReceive(message, out var busy))
                    continue;
                taken = true;
                traffic |= busy;
                break;
            }

            if (!taken)
                mpi.World.Receive(message).Dispose();
        }

        return traffic;
    }

    private void Test(IReadOnlyList<IWorldPart> parts)
    {
        if (mpi.Sends.Outstanding == 0)
            return;
        var count = mpi.Sends.Test(_finished);
        for (var i = 0; i < count; i++)
        {
            var peer = _slots[_finished[i].Id.Slot]!;
            _slots[_finished[i].Id.Slot] = null;
            peer.Unfinished--;
            foreach (var part in parts)
                part.OnFinished(peer);
        }
    }

    // The last words are on their way; what is for ranks that are gone never finishes.
    private WorldEnd LetFinish(WorldEnd end, IReadOnlyList<IWorldPart> parts)
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
}
