using System.Buffers;
using System.Net.Security;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Launching;
using FuncX.Manager.Link;
using FuncX.Manager.World.Broadcast;
using FuncX.Manager.World.Functions;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// The switch between the endpoint's connection and the ranks of a world: reads headers, decides nothing, and unpacks nothing. The link's reading thread sorts what comes into
/// messages for ranks, the MPI thread sends them and hands what ranks send to the connection's writer. Benchmark: scale.
/// </summary>
internal sealed class WorldLeader : IWorldPart, ILinkUser, IRoutedFrames
{
    /// <summary>Most bytes that wait for ranks; beyond it the endpoint's connection is not read.</summary>
    private const long MostHeld = 32 << 20;

    /// <summary>Periods of silence after which a rank, like the other end of a connection, counts as gone.</summary>
    private const int SilentPeriods = 5;

    private const long LastWordsMicroseconds = 2_000_000;

    private readonly WorldThread _thread;
    private readonly SlabPool _slabs;
    private readonly BroadcastPart _broadcast;
    private readonly WorldRank[] _ranks;
    private readonly FrameRouter _router;
    private readonly Queue<WorldRank> _listed = new();
    private readonly FunctionPart _relayed;
    private readonly LeaderFunctions _functions;
    private readonly Lock _gate = new();
    private LeaderSession? _session;
    private TaskCompletionSource? _room;
    private long _held;
    private uint _generation;
    private long _period = (long)TimeSpan.FromSeconds(5).TotalMicroseconds;
    private long _lookedAt = NodeTimer.Now;
    private long _lookAt;
    private long _finishAt = long.MaxValue;
    private long _drainAt = long.MaxValue;
    private BlockEnd? _end;
    private bool _wrote;
    private int _ended;

    public WorldLeader(WorldThread thread, string node, SlabPool slabs, BroadcastPart broadcast, FunctionPart functions, bool hasManager, long window)
    {
        _thread = thread;
        _slabs = slabs;
        _broadcast = broadcast;
        _relayed = functions;
        _functions = new LeaderFunctions(thread.Mpi.Buffers, functions.Keep, functions.Forget);
        Node = node;
        _ranks = new WorldRank[thread.Mpi.World.Size];
        for (var rank = 0; rank < _ranks.Length; rank++)
            _ranks[rank] = new WorldRank(new WorldPeer(thread, rank, window), thread.Mpi.Buffers);
        _ranks[0].Done = !hasManager;
        _router = new FrameRouter(_ranks, this);
    }

    public string Role => "leader";

    public string Node { get; }

    public long Due => Volatile.Read(ref _session)?.Due ?? long.MaxValue;

    public async Task ServeAsync(SslStream stream, Hello hello, Action welcomed)
    {
        await using var session = new LeaderSession(this, stream, _slabs, _ranks.Length);
        var welcome = await session.GreetAsync(hello);
        welcomed();
        var heartbeat = TimeSpan.FromMilliseconds(Math.Max(50, welcome.HeartbeatMs));
        _broadcast.Lead(welcome.Stage, heartbeat);
        OnLinkUp(session, heartbeat);
        await session.RunAsync(heartbeat);
    }

    public void Report(string problem) => Console.Error.WriteLine($"funcx-manager {Node}, leader: {problem}");

    public void End(int code, string reason) => _thread.End(code, reason);

    /// <summary>Has every manager of the world drain. From any thread.</summary>
    /// <param name="patience">How long running tasks may take; null: as long as they need.</param>
    public void DrainAll(TimeSpan? patience)
    {
        lock (_gate)
            ListDrain((uint)(patience?.TotalMilliseconds ?? 0));
        _thread.Wake();
    }

    /// <summary>The same before the job ends, by itself. Before the world's thread runs.</summary>
    public void DrainBefore(BlockEnd end) => (_end, _drainAt) = (end, NodeTimer.Now + (long)(end.DrainAt - DateTimeOffset.UtcNow).TotalMicroseconds);

    /// <summary>Has the world's thread look what is due. From any thread.</summary>
    public void Wake() => _thread.Wake();

    /// <summary>A rank is gone: its silence need not be waited for. From any thread.</summary>
    public void OnGone(int rank)
    {
        lock (_gate)
        {
            if (rank <= 0 || rank >= _ranks.Length || _ranks[rank].Silent || _ranks[rank].Done)
                return;
            Lose(_ranks[rank], "was killed");
        }

        _thread.Wake();
    }

    /// <summary>Sorts whole frames of the endpoint by rank; on the link's reading thread.</summary>
    /// <exception cref="FrameException">The endpoint sent what it must not.</exception>
    public void Route(ref ReadOnlySequence<byte> input)
    {
        lock (_gate)
            _router.Route(ref input);
        _thread.Wake();
    }

    /// <summary>Completed when more may be read from the endpoint.</summary>
    public Task RoomAsync()
    {
        lock (_gate)
        {
            if (_held <= MostHeld)
                return Task.CompletedTask;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    /// <summary>A frame of the leader's own. From any thread.</summary>
    public void Say(LeaderSession session, FrameKind kind, uint destination)
    {
        var buffer = _thread.Mpi.Buffers.Rent(WorldPrefix.Size + FrameHeader.Size);
        new FrameHeader { Kind = kind, Destination = destination }.Write(buffer.Span[WorldPrefix.Size..]);
        session.Say(buffer, rank: -1);
        session.Kick();
    }

    /// <summary>Bytes of a rank were written, or dropped with their connection. From any thread.</summary>
    public void OnWritten(WorldPeer peer, int bytes)
    {
        peer.Consume(bytes);
        if (!peer.OwesCredit)
            return;
        lock (_gate)
            List(_ranks[peer.Rank]);
        _thread.Wake();
    }

    public void OnLinkDown(LeaderSession session)
    {
        lock (_gate)
        {
            if (_session != session)
                return;
            _session = null;
            foreach (var rank in _ranks)
            {
                Forget(rank);
                List(rank);
            }
        }

        _thread.Wake();
    }

    public bool Takes(int tag) => tag is >= WorldTag.FramesUp and <= WorldTag.Done;

    public IMemoryOwner<byte> Room(int tag, int bytes) => _thread.Mpi.Buffers.Rent(bytes);

    public bool OnMessage(int source, int tag, IMemoryOwner<byte> room, int bytes)
    {
        var buffer = (MpiBuffer)room;
        var prefix = WorldPrefix.Read(buffer.Span);
        var rank = _ranks[source];
        lock (_gate)
        {
            if (rank.Peer.OnPrefix(prefix) && (rank.HasFrames || rank.HasControl))
                List(rank);
            if (rank.Silent)
            {
                Report($"rank {source} is heard again");
                rank.Silent = false;
                Admit(rank);
            }

            if (tag == WorldTag.FramesUp)
            {
                rank.Managers = Math.Max(rank.Managers, (int)prefix.Argument);
                if (_session is not null && prefix.Generation != 0 && prefix.Generation == rank.Generation)
                {
                    _session.Add(buffer, rank.Peer);
                    _wrote = true;
                    return true;
                }

                rank.Peer.Consume(bytes);
            }
            else if (tag == WorldTag.Done)
            {
                rank.Done = true;
                _ended++;
                _lookAt = 0;
                SayGone(rank);
                Forget(rank);
            }
        }

        buffer.Dispose();
        return tag == WorldTag.FramesUp;
    }

    public bool Send(bool news, long now)
    {
        var traffic = false;
        LeaderSession? kicked = null;
        lock (_gate)
        {
            if (_wrote || _session?.Due <= now)
                kicked = _session;
            _wrote = false;
            if (now >= _drainAt)
            {
                ListDrain((uint)Math.Max(1, _end!.DrainFor.TotalMilliseconds));
                (_end, _drainAt) = (null, long.MaxValue);
            }

            for (var left = _listed.Count; left > 0; left--)
            {
                var rank = _listed.Dequeue();
                rank.Listed = false;
                traffic |= SendTo(rank);
            }

            if (now >= _lookAt)
                Look(now);
            if (_room is not null && _held <= MostHeld / 2)
            {
                _room.SetResult();
                _room = null;
            }

            if (_finishAt <= now || (_finishAt != long.MaxValue && (_session?.Written ?? true)))
                Finish();
        }

        kicked?.Kick();
        return traffic;
    }

    public void OnFinished(WorldPeer peer)
    {
        lock (_gate)
        {
            if (_ranks[peer.Rank] is { } rank && (rank.HasFrames || rank.HasControl || rank.Told != rank.Generation || rank.Drain is not null))
                List(rank);
        }
    }

    // Which of its tasks it has, or which of its results are lost, is what its next hello tells.
    public void OnSendFailed(WorldPeer peer, string why)
    {
        lock (_gate)
        {
            var rank = _ranks[peer.Rank];
            if (rank.Peer == peer && !rank.Silent && !rank.Done)
                Lose(rank, $"has lost a message: {why}");
        }
    }

    public void OnReceiveFailed(int source, int tag, int bytes, string why)
    {
        lock (_gate)
        {
            var rank = _ranks[source];
            if (WorldTag.IsCounted(tag))
                rank.Peer.Consume(bytes);
            if (!rank.Silent && !rank.Done)
                Lose(rank, $"has lost a message: {why}");
        }
    }

    private void OnLinkUp(LeaderSession session, TimeSpan heartbeat)
    {
        lock (_gate)
        {
            _session = session;
            _functions.Clear();
            _period = (long)heartbeat.TotalMicroseconds;
            _relayed.SetPeriod(_period);
            _lookAt = 0;
            var now = NodeTimer.Now;
            foreach (var rank in _ranks)
            {
                if (!rank.Silent)
                {
                    // The period may be shorter than the one its heartbeats kept to until now.
                    rank.Peer.HeardAt = now;
                    Admit(rank);
                }
            }
        }

        _thread.Wake();
    }

    void IRoutedFrames.OnOwn(in FrameHeader header, ReadOnlySpan<byte> frame)
    {
        switch (header.Kind)
        {
            case FrameKind.Heartbeat:
                break;
            case FrameKind.Drain:
                ListDrain(0);
                break;
            case FrameKind.Ends:
                if (_end is { } end)
                    DrainBefore(end.Prolonged(header.DeadlineMicroseconds, DateTimeOffset.UtcNow));
                break;
            case FrameKind.Function or FrameKind.Segment:
                if (_functions.Take(header, frame, out var manager) is { } function && _router.RankOf(manager) is { } rank)
                {
                    _held += rank.Add(function, manager);
                    List(rank);
                }

                break;
            default:
                throw new FrameException($"the endpoint sent a frame of kind {header.Kind} to a leader");
        }
    }

    void IRoutedFrames.OnFrames(WorldRank rank, int tag, ReadOnlySpan<byte> frames)
    {
        _held += rank.Add(tag, frames);
        List(rank);
    }

    private void List(WorldRank rank)
    {
        if (rank.Listed)
            return;
        rank.Listed = true;
        _listed.Enqueue(rank);
    }

    private void ListDrain(uint patience)
    {
        foreach (var rank in _ranks)
        {
            rank.Drain = patience;
            List(rank);
        }
    }

    private void Admit(WorldRank rank)
    {
        if (_session is null || rank.Done)
            return;
        rank.Generation = ++_generation;
        List(rank);
    }

    private void Forget(WorldRank rank)
    {
        rank.Generation = 0;
        _held -= rank.Drop();
    }

    private void Lose(WorldRank rank, string why)
    {
        Report($"rank {rank.Peer.Rank} {why}");
        rank.Silent = true;
        SayGone(rank);
        Forget(rank);
        rank.Told = 0;
    }

    private void SayGone(WorldRank rank)
    {
        if (rank.Generation == 0 || _session is null)
            return;
        var count = Math.Max(1, rank.Managers);
        var buffer = _thread.Mpi.Buffers.Rent(WorldPrefix.Size + (count * FrameHeader.Size));
        for (var i = 0; i < count; i++)
        {
            new FrameHeader { Kind = FrameKind.Gone, Destination = (uint)(1 + rank.Peer.Rank + (i * _ranks.Length)) }.Write(buffer.Span[(WorldPrefix.Size + (i * FrameHeader.Size))..]);
        }

        _session.Say(buffer, rank.Peer.Rank);
        _wrote = true;
    }

    private bool SendTo(WorldRank rank)
    {
        if (rank.Silent)
            return false;
        var peer = rank.Peer;
        var traffic = false;
        if (rank.Told != rank.Generation && peer.MaySend)
        {
            rank.Told = rank.Generation;
            if (rank.Generation == 0)
                peer.Send(WorldTag.End);
            else
                peer.Send(WorldTag.Begin, rank.Generation, (uint)(_period / 1000));
            traffic = true;
        }

        while (rank.HasControl && peer.MaySend)
            traffic |= Start(rank, rank.TakeControl());
        while (rank.HasFrames && peer.MaySendCounted(rank.NextBytes))
            traffic |= Start(rank, rank.TakeFrames());
        // Behind the tasks that came before it: they are given back, and not lost with a manager that has ended.
        if (rank.Drain is { } patience && !rank.HasFrames && peer.MaySend)
        {
            rank.Drain = null;
            peer.Send(WorldTag.Drain, argument: patience);
        }

        if (peer.OwesCredit && peer.MaySend)
            peer.Send(WorldTag.Beat);
        return traffic;
    }

    private bool Start(WorldRank rank, WorldRank.Outgoing message)
    {
        _held -= message.Buffer.Length;
        rank.Peer.Send(message.Tag, message.Buffer, rank.Generation);
        return true;
    }

    // Heartbeats both ways, and whether all have ended.
    private void Look(long now)
    {
        // This process may have been stopped itself: what was sent meanwhile has not been looked at yet.
        var stopped = now - _lookedAt > 2 * _period;
        _lookedAt = now;
        _lookAt = now + (_period / 4);
        var over = true;
        foreach (var rank in _ranks)
        {
            if (stopped)
                rank.Peer.HeardAt = now;
            over &= rank.Done || rank.Silent;
            if (rank.Silent)
                continue;
            if (now - rank.Peer.HeardAt > SilentPeriods * _period && rank.Peer.Rank != 0)
            {
                Lose(rank, $"has not been heard for {(now - rank.Peer.HeardAt) / 1000} ms");
            }
            else if (now - rank.Peer.SentAt > _period * 3 / 4 && rank.Peer.MaySend)
            {
                rank.Peer.Send(WorldTag.Beat);
            }
        }

        // When all are silent and none has ended, one may be heard again.
        if (over && _ended > 0 && _finishAt == long.MaxValue)
        {
            _finishAt = now + LastWordsMicroseconds;
            _thread.Wake();
        }
    }

    private void Finish()
    {
        _finishAt = long.MaxValue;
        var together = !Array.Exists(_ranks, static rank => rank.Silent);
        foreach (var rank in _ranks)
        {
            if (!rank.Silent)
                rank.Peer.Send(WorldTag.Finish, argument: together ? 1u : 0);
        }

        _thread.End(0, "", together);
    }
}
