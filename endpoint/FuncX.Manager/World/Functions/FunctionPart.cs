using System.Buffers;
using System.Collections.Concurrent;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Pools;
using FuncX.Mpi;

namespace FuncX.Manager.World.Functions;

/// <summary>A rank's part in bringing functions to those that need them: what its <see cref="FunctionRelay"/> decides is done by MPI.</summary>
internal sealed class FunctionPart : IWorldPart, IRelayEffects
{
    private const int MostPieces = 4;

    // A rank is passed over sooner than it counts as gone: that costs the leader another copy, and tasks wait.
    private const long LongestTick = 1_000_000;
    private const long ProgressMicroseconds = 1_000_000;

    private readonly WorldThread _thread;
    private readonly FunctionRelay _relay;
    private readonly ConcurrentQueue<(FunctionDigest Digest, FunctionContent? Content)> _told = new();
    private readonly Dictionary<int, WorldPeer> _peers = [];
    private long _tick = LongestTick;
    private long _progressAt;
    private long _progress;

    public FunctionPart(WorldThread thread)
    {
        _thread = thread;
        _relay = new FunctionRelay(thread.Mpi.World.Rank, thread.Mpi.World.Size, this, Counts);
    }

    public FunctionCounts Counts { get; } = new();

    /// <summary>Told of each function that was wanted, on the MPI thread: it is here, and what it is remains the relay's.</summary>
    public Action<FunctionDigest, FunctionContent> Brought { get; set; } = static (_, _) => { };

    /// <summary>Or it will not come.</summary>
    public Action<FunctionDigest> Lost { get; set; } = static _ => { };

    /// <summary>The counts have changed, and were not told for a while.</summary>
    public Action Progressed { get; set; } = static () => { };

    public long Due => long.MaxValue;

    /// <summary>How often ranks hear of each other, in microseconds. From any thread.</summary>
    public void SetPeriod(long period) => Volatile.Write(ref _tick, Math.Min(period, LongestTick));

    /// <summary>The endpoint has the leader keep a function, which is this part's from now on. From any thread.</summary>
    public void Keep(FunctionDigest digest, FunctionContent content) => _told.Enqueue((digest, content));

    /// <summary>It need not keep it any longer. From any thread.</summary>
    public void Forget(FunctionDigest digest) => _told.Enqueue((digest, null));

    /// <summary>This rank's manager has to have a function. On the MPI thread.</summary>
    public void Want(FunctionDigest digest, long bytes)
    {
        TakeTold();
        _relay.Want(digest, bytes, NodeTimer.Now);
    }

    public bool Takes(int tag) => tag is >= FunctionTag.First and <= FunctionTag.Last;

    public IMemoryOwner<byte> Room(int tag, int bytes) => _thread.Mpi.Buffers.Rent(bytes);

    public bool OnMessage(int source, int tag, IMemoryOwner<byte> room, int bytes)
    {
        TakeTold();
        var message = (MpiBuffer)room;
        message.Length = bytes;
        var about = FunctionPrefix.Read(message.Span);
        var kept = false;
        if (tag == FunctionTag.Piece)
            kept = _relay.OnPiece(source, about, message, NodeTimer.Now);
        else if (tag == FunctionTag.Ask)
            _relay.OnAsk(source, about, NodeTimer.Now);
        else
            _relay.OnWord(source, tag, about, NodeTimer.Now);
        if (!kept)
            message.Dispose();
        return tag != FunctionTag.Wait;
    }

    public bool Send(bool news, long now)
    {
        TakeTold();
        var traffic = _relay.Send(now, Volatile.Read(ref _tick));
        if (Counts.Sum != _progress && now >= _progressAt)
        {
            (_progress, _progressAt) = (Counts.Sum, now + ProgressMicroseconds);
            Progressed();
        }

        return traffic;
    }

    public void OnFinished(WorldPeer peer)
    {
    }

    // Who waits for it asks the leader, once it has heard nothing for a while.
    public void OnSendFailed(WorldPeer peer, string why)
    {
    }

    public void OnReceiveFailed(int source, int tag, int bytes, string why)
    {
    }

    bool IRelayEffects.MaySay(int rank) => PeerOf(rank).MaySend;

    bool IRelayEffects.MaySend(int rank) => PeerOf(rank).Unfinished < MostPieces;

    bool IRelayEffects.HasAll(int rank) => PeerOf(rank).Unfinished == 0;

    void IRelayEffects.Say(int rank, int tag, in FunctionPrefix about)
    {
        var message = _thread.Mpi.Buffers.Rent(FunctionPrefix.Size);
        about.Write(message.Span);
        _thread.Send(PeerOf(rank), tag, message);
    }

    void IRelayEffects.Send(int rank, FunctionPiece piece) => _thread.Send(PeerOf(rank), FunctionTag.Piece, piece.Message, piece.Use());

    void IRelayEffects.OnBrought(FunctionDigest digest, FunctionContent content) => Brought(digest, content);

    void IRelayEffects.OnLost(FunctionDigest digest) => Lost(digest);

    void IRelayEffects.Report(string problem) => Console.Error.WriteLine($"funcx-manager rank {_thread.Mpi.World.Rank}: {problem}");

    private void TakeTold()
    {
        while (_told.TryDequeue(out var told))
        {
            if (told.Content is { } content)
                _relay.Keep(told.Digest, content);
            else
                _relay.Forget(told.Digest);
        }
    }

    private WorldPeer PeerOf(int rank)
    {
        if (!_peers.TryGetValue(rank, out var peer))
            _peers.Add(rank, peer = new WorldPeer(_thread, rank, window: 0));
        return peer;
    }
}
