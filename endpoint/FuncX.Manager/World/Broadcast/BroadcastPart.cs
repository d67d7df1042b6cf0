using System.Buffers;
using System.Buffers.Binary;
using FuncX.Manager.Link;
using FuncX.Manager.Staging;
using FuncX.Mpi;

namespace FuncX.Manager.World.Broadcast;

/// <summary>
/// A rank's part in bringing the files of <c>stage_in</c> to all of them. The leader reads each once and keeps it; a rank asks the one above it, writes what comes to its own
/// cache, and gives it to those below while it comes. Ranks pull: each lets at most a window come, so that a slow one costs no memory elsewhere. It is the last part of the MPI thread: tasks go first.
/// </summary>
internal sealed class BroadcastPart : IWorldPart
{
    private readonly WorldThread _thread;
    private readonly BroadcastServer _server;
    private readonly BroadcastFetch _fetch;
    private readonly LeaderFiles _leaderFiles = new();
    private readonly Dictionary<int, WorldPeer> _peers = [];
    private readonly string _directory;
    private readonly string _node;
    private long _period = (long)TimeSpan.FromSeconds(5).TotalMicroseconds;
    private bool _leads;

    public BroadcastPart(WorldThread thread, ManagerOptions options)
    {
        _thread = thread;
        _directory = options.Directory;
        _node = options.Node;
        _server = new BroadcastServer(thread);
        _fetch = new BroadcastFetch(thread);
        Source = thread.Mpi.World.Rank == 0 ? _leaderFiles : new WorldSource(_fetch, _server);
    }

    /// <summary>Where this rank's manager has its files from.</summary>
    public IStageSource Source { get; }

    public long Due => long.MaxValue;

    /// <summary>The endpoint has told the leader which files there are; what it tells first holds. From any thread.</summary>
    public void Lead(StageSettings? settings, TimeSpan heartbeat)
    {
        SetPeriod((long)heartbeat.TotalMicroseconds);
        if (_leads)
            return;
        _leads = true;
        _server.Begin();
        if (settings is not { Files.Length: > 0 })
        {
            _server.Know(default);
            _leaderFiles.Begin(null);
            return;
        }

        Stager? stager = null;
        stager = new Stager(new SourceFiles(settings.Files, _node), settings.RootFor(_directory), settings.CacheBytes, $"{_node}, leader")
        {
            OnFile = (index, file, path) =>
            {
                _server.Know(stager!.Progress.Plan);
                _server.Offer(index, file, path, file.Bytes);
                _leaderFiles.Add(index, file);
            },
            // As a set they are in use, and no other process makes room of them.
            OnEnd = static (cache, files) => cache.Link(files),
        };
        _server.Problem = () => stager.Progress.Problem;
        _leaderFiles.Begin(stager.Progress);
        stager.Start();
    }

    /// <summary>How often who waits is told so, in microseconds. From any thread.</summary>
    public void SetPeriod(long period) => Volatile.Write(ref _period, period);

    public bool Takes(int tag) => tag is >= BroadcastTag.First and <= BroadcastTag.Last;

    public IMemoryOwner<byte> Room(int tag, int bytes) => _thread.Mpi.Buffers.Rent(bytes);

    public bool OnMessage(int source, int tag, IMemoryOwner<byte> room, int bytes)
    {
        var message = (MpiBuffer)room;
        message.Length = bytes;
        var kept = false;
        if (tag == BroadcastTag.Request)
            _server.OnRequest(PeerOf(source), BroadcastPrefix.Read(message.Span), BinaryPrimitives.ReadInt64LittleEndian(message.Span[BroadcastPrefix.Size..]));
        else
            kept = _fetch.OnMessage(source, tag, message, tag == BroadcastTag.What ? MessageBody.Read(default, message.Span[BroadcastPrefix.Size..], MessageJson.Default.BroadcastWhat) : null);
        if (!kept)
            message.Dispose();
        return tag != BroadcastTag.Wait;
    }

    public bool Send(bool news, long now)
    {
        var period = Volatile.Read(ref _period);
        return _fetch.Send(PeerOf, now, period) | _server.Send(now, period);
    }

    public void OnFinished(WorldPeer peer)
    {
        if (_peers.GetValueOrDefault(peer.Rank) == peer)
            _server.OnFinished();
    }

    // Who waits for it asks again, or asks another, once it has heard nothing for a while.
    public void OnSendFailed(WorldPeer peer, string why)
    {
    }

    public void OnReceiveFailed(int source, int tag, int bytes, string why)
    {
    }

    private WorldPeer PeerOf(int rank)
    {
        if (!_peers.TryGetValue(rank, out var peer))
            _peers.Add(rank, peer = new WorldPeer(_thread, rank, window: 0));
        return peer;
    }
}
