using System.Buffers;
using System.Buffers.Binary;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.World.Broadcast;
using FuncX.Manager.World.Functions;
using FuncX.Manager.World.Simulation;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// A rank's manager in its world: what the leader sends is the node's input, done as a turn on the MPI thread from the memory it was received into; the node's output goes
/// to the leader, whatever is there in as few messages as it fits. Benchmark: scale.
/// </summary>
internal sealed class WorldMember : IWorldPart
{
    /// <summary>The exit code of a rank that misses its leader.</summary>
    public const int NoLeader = 75;

    /// <summary>And of one that lost a message on the way to a leader that lives, or from there.</summary>
    public const int LostMessage = 76;

    // Below it a message has memory of its own size: a few tasks that run for hours should not keep a whole slab.
    private const int SmallMessage = 16 * 1024;
    private const int MessageBytes = 64 * 1024;

    // Parts of large bodies on their way to the leader, which keeps a rank's messages in order: its small results wait for no more than these.
    private const long LargeAhead = 2 * (WorldPrefix.Size + FrameHeader.MaxFrame);
    private static readonly long s_firstPeriod = (long)TimeSpan.FromSeconds(5).TotalMicroseconds;

    // Nothing reaches the endpoint without a leader, and only when every rank has ended does a launcher that spares survivors end, and the world begin anew.
    private static readonly TimeSpan s_withoutLeader = TimeSpan.FromSeconds(10);

    private readonly WorldThread _thread;
    private readonly Node _node;
    private readonly SlabPool _slabs;
    private readonly BroadcastPart _broadcast;
    private readonly FunctionPart _functions;
    private readonly WorldPeer _leader;
    private readonly uint _number;
    private readonly long _patience;
    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly LinkBackOff _backOff = new(Random.Shared);
    private uint _generation;
    private MemberLink? _link;
    private SimulatedManagers? _simulated;
    private SendBatch? _batch;
    private Memory<byte> _rest;
    private long _period = s_firstPeriod;
    private long _helloAt = long.MaxValue;
    private long _lookedAt = NodeTimer.Now;
    private string _refused = "";
    private string? _lost;
    private bool _hasOutput;
    private bool _nodeEnded;
    private bool _saidDone;

    public WorldMember(WorldThread thread, Node node, SlabPool slabs, BroadcastPart broadcast, FunctionPart functions, ManagerOptions options, long window)
    {
        _thread = thread;
        _node = node;
        _slabs = slabs;
        _broadcast = broadcast;
        _functions = functions;
        (functions.Brought, functions.Lost, functions.Progressed) = (OnFunction, OnFunctionLost, node.Look);
        (node.WantFunction, node.FunctionCounts) = (functions.Want, functions.Counts);
        _leader = new WorldPeer(thread, rank: 0, window);
        _number = (uint)thread.Mpi.World.Rank + 1;
        _patience = (long)Math.Min(options.Patience.TotalMicroseconds, s_withoutLeader.TotalMicroseconds);
    }

    /// <summary>The node has ended, well or not. From its thread.</summary>
    public void OnNodeEnd(int code, string reason)
    {
        if (code != 0)
            _thread.End(code, reason);
        Volatile.Write(ref _nodeEnded, true);
        _thread.Wake();
    }

    public long Due => _simulated?.Due ?? _helloAt;

    public bool Takes(int tag) => tag <= WorldTag.Finish;

    // A node's tasks stay in the memory that they were received into.
    public IMemoryOwner<byte> Room(int tag, int bytes) => tag is not (WorldTag.Frames or WorldTag.Control)
        ? _thread.Mpi.Buffers.Rent(bytes)
        : bytes is > SmallMessage and <= SlabPool.SlabBytes ? _slabs.Rent(bytes) : SlabPool.Single(bytes);

    public bool OnMessage(int source, int tag, IMemoryOwner<byte> room, int bytes)
    {
        var prefix = WorldPrefix.Read(room.Memory.Span);
        _hasOutput |= _leader.OnPrefix(prefix);
        // It may have been the leader's death: of a leader that lives nothing may be missing.
        if (_lost is not null)
            _thread.End(LostMessage, $"rank {_thread.Mpi.World.Rank} has lost a message to its leader or from there: {_lost}");
        switch (tag)
        {
            case WorldTag.Frames or WorldTag.Control:
                if (prefix.Generation == _generation)
                    OnFrames(room.Memory[WorldPrefix.Size..bytes]);
                break;
            case WorldTag.Greetings:
                if (prefix.Generation == _generation)
                    Greet(room.Memory.Span[WorldPrefix.Size..bytes]);
                break;
            case WorldTag.Begin:
                _period = Math.Max(50, prefix.Argument) * 1000L;
                _broadcast.SetPeriod(_period);
                _functions.SetPeriod(_period);
                Begin(prefix.Generation);
                break;
            case WorldTag.End:
                Begin(0);
                break;
            case WorldTag.Drain:
                _simulated?.Drain(prefix.Argument == 0 ? long.MaxValue : NodeTimer.Now + (prefix.Argument * 1000L));
                _node.Drain(prefix.Argument == 0 ? null : TimeSpan.FromMilliseconds(prefix.Argument));
                break;
            case WorldTag.Finish:
                _thread.End(0, "", together: prefix.Argument != 0);
                break;
        }

        room.Dispose();
        if (tag is WorldTag.Frames or WorldTag.Greetings)
            _leader.Consume(bytes);
        return tag != WorldTag.Beat;
    }

    public bool Send(bool news, long now)
    {
        _hasOutput |= news;
        if (_simulated is not null)
            return SendSimulated(_simulated, now);
        var traffic = now >= _helloAt && Hello(now);
        while (_hasOutput && _link is { Welcomed: true } && _leader.Room > 0 && SendOutput())
            traffic = true;
        if (Volatile.Read(ref _nodeEnded) && !_saidDone && _rest.IsEmpty)
        {
            _saidDone = true;
            _leader.Send(WorldTag.Done);
        }

        Beat(now);
        return traffic;
    }

    private bool SendSimulated(SimulatedManagers simulated, long now)
    {
        // A signal at this rank alone has ended the node that is not used.
        if (Volatile.Read(ref _nodeEnded))
            simulated.Drain(now);
        var traffic = simulated.Send(_generation, now);
        if (simulated.Ended(now) && !_saidDone)
        {
            _saidDone = true;
            _leader.Send(WorldTag.Done);
        }

        Beat(now);
        return traffic;
    }

    private void Beat(long now)
    {
        if (_leader.MaySend && (_leader.OwesCredit || now - _leader.SentAt > _period * 9 / 10))
            _leader.Send(WorldTag.BeatUp);
        // This process may have been stopped itself: what its leader sent meanwhile has not been looked at yet.
        if (now - _lookedAt > 2 * _period)
            _leader.HeardAt = now;
        _lookedAt = now;
        if (now - _leader.HeardAt > _patience)
            _thread.End(NoLeader, $"rank {_thread.Mpi.World.Rank} has heard nothing of its leader for {(now - _leader.HeardAt) / 1_000_000} s (at most {_patience / 1_000_000} s)");
    }

    public void OnFinished(WorldPeer peer) => _hasOutput |= peer == _leader;

    public void OnSendFailed(WorldPeer peer, string why)
    {
        if (peer == _leader)
            _lost ??= why;
    }

    public void OnReceiveFailed(int source, int tag, int bytes, string why) => _lost ??= why;

    private void OnFrames(Memory<byte> message)
    {
        try
        {
            if (_simulated is not null)
            {
                _simulated.OnFrames(message.Span);
            }
            else if (_link is { Welcomed: true })
            {
                var frames = new ReadOnlySequence<byte>(message);
                _node.OnFrames(ref frames);
                if (!frames.IsEmpty)
                    throw new FrameException($"a message of the leader ends with {frames.Length} bytes of a frame");
            }
        }
        catch (FrameException problem)
        {
            OnBroken(problem);
        }
    }

    // As on a connection of its own: over and begun anew.
    private void OnBroken(FrameException problem)
    {
        _node.Report($"what the endpoint sent: {problem.Message}");
        _simulated?.Begin(all: true);
        Again();
    }

    private void OnFunction(FunctionDigest digest, FunctionContent content)
    {
        if (!_node.Awaits(digest))
            return;
        try
        {
            _node.OnFunction(digest, content.ToArray());
        }
        catch (FrameException problem)
        {
            OnBroken(problem);
        }
    }

    // Whoever says hello anew is told everything anew, and the leader before it.
    private void OnFunctionLost(FunctionDigest digest)
    {
        if (_link is not { Welcomed: true } || !_node.Awaits(digest))
            return;
        _node.Report($"function {digest} has not come down the ranks");
        Again();
    }

    private void Begin(uint generation)
    {
        Leave();
        _generation = generation;
        _simulated?.Begin(all: true);
        _backOff.Reset();
        _helloAt = generation == 0 || Volatile.Read(ref _nodeEnded) ? long.MaxValue : NodeTimer.Now;
    }

    private void Leave()
    {
        if (_link is null)
            return;
        _node.OnLinkDown(_link);
        _link = null;
        if (_batch is not null)
            _node.Written(_batch);
        _batch = null;
        _rest = default;
    }

    // The endpoint does not know this manager: hello after a pause that grows.
    private void Again()
    {
        Leave();
        _helloAt = NodeTimer.Now + (long)_backOff.Next().TotalMicroseconds;
    }

    private bool Hello(long now)
    {
        var hello = LinkGreeting.Body(new Hello
        {
            Role = "manager",
            Version = ProtocolVersion.Product,
            ProtocolMinimum = ProtocolVersion.Minimum,
            ProtocolMaximum = ProtocolVersion.Maximum,
            Manager = _id,
            Node = _node.Name,
            Pid = Environment.ProcessId,
            EndsInMs = _node.EndsInMs,
        });
        if (!_leader.MaySendCounted(WorldPrefix.Size + FrameHeader.Size + hello.Length))
            return false;
        Leave();
        _link = new MemberLink(_thread);
        _helloAt = now + (long)LinkGreeting.Limit.TotalMicroseconds;
        var buffer = _thread.Mpi.Buffers.Rent(WorldPrefix.Size + FrameHeader.Size + hello.Length);
        new FrameHeader { Kind = FrameKind.Hello, Destination = _number, BodyLength = hello.Length }.Write(buffer.Span[WorldPrefix.Size..]);
        hello.CopyTo(buffer.Span[(WorldPrefix.Size + FrameHeader.Size)..]);
        _leader.Send(WorldTag.FramesUp, buffer, _generation);
        return true;
    }

    private void Greet(ReadOnlySpan<byte> frames)
    {
        while (FrameReader.TryRead(frames, out var header, out var length))
        {
            var body = frames[FrameHeader.Size..length];
            frames = frames[length..];
            if (_simulated is not null)
            {
                _simulated.Greet(header.Kind, header.Destination, body);
                continue;
            }

            try
            {
                var welcome = LinkGreeting.Read(header.Kind, body);
                if (_link is not { Welcomed: false } link)
                    continue;
                link.Welcomed = true;
                _helloAt = long.MaxValue;
                _refused = "";
                _backOff.Reset();
                _hasOutput = true;
                if (welcome.Workers.Simulate)
                {
                    _simulated = new SimulatedManagers(_thread, _leader, _functions, _id, _node.Name, welcome);
                    _functions.Progressed = static () => { };
                    _simulated.Greet(header.Kind, header.Destination, body);
                    _simulated.Begin(all: false);
                    continue;
                }

                _node.OnLinkUp(link, welcome);
            }
            catch (Exception refusal) when (refusal is LinkRefusedException or FrameException)
            {
                if (_refused != refusal.Message)
                    _node.Report($"the endpoint refused this manager: {refusal.Message}");
                _refused = refusal.Message;
                Again();
            }
        }
    }

    // One message: what is left of a piece, then whole pieces while there is room for them.
    private bool SendOutput()
    {
        if (_rest.IsEmpty && !NextPiece())
        {
            _hasOutput = false;
            return false;
        }

        if (_batch is { Capacity: > SendBatch.Bytes } && _leader.Ahead > 0 && _leader.Ahead + WorldPrefix.Size + FrameAt(_rest) > LargeAhead)
            return false;
        var most = (int)Math.Min(_leader.Room, Math.Max(MessageBytes, WorldPrefix.Size + FrameAt(_rest)));
        if (!_leader.MaySendCounted(WorldPrefix.Size + FrameAt(_rest)))
            return false;
        var buffer = _thread.Mpi.Buffers.Rent(Math.Max(most, WorldPrefix.Size + FrameAt(_rest)));
        var used = WorldPrefix.Size;
        while (!_rest.IsEmpty || NextPiece())
        {
            var fits = Fit(buffer.Length - used);
            if (fits == 0)
                break;
            var output = buffer.Span.Slice(used, fits);
            _rest.Span[..fits].CopyTo(output);
            Stamp(output);
            used += fits;
            _rest = _rest[fits..];
            if (_rest.IsEmpty)
                Written();
        }

        buffer.Length = used;
        _leader.Send(WorldTag.FramesUp, buffer, _generation);
        return true;
    }

    private bool NextPiece()
    {
        _batch = _node.Take(_link!, out _rest);
        if (_batch is { Mark: > 0 })
            FailPoints.Pass(FailPoint.BeforeResultSend);
        return _batch is not null;
    }

    private void Written()
    {
        if (_batch is { Mark: > 0 })
            FailPoints.Pass(FailPoint.AfterResultSend);
        _node.Written(_batch!);
        _batch = null;
    }

    // Bytes of whole frames at the front that fit.
    private int Fit(int room)
    {
        var frames = _rest.Span;
        if (frames.Length <= room)
            return frames.Length;
        var fits = 0;
        while (fits < frames.Length && BinaryPrimitives.ReadInt32LittleEndian(frames[fits..]) is var length && fits + length <= room)
            fits += length;
        return fits;
    }

    private static int FrameAt(Memory<byte> frames) => BinaryPrimitives.ReadInt32LittleEndian(frames.Span);

    // A worker copies its task's header into the result and might write anything there: what is sent says who sends it.
    private void Stamp(Span<byte> frames)
    {
        for (var at = 0; at < frames.Length; at += BinaryPrimitives.ReadInt32LittleEndian(frames[at..]))
            BinaryPrimitives.WriteUInt32LittleEndian(frames[(at + FrameHeader.DestinationOffset)..], _number);
    }

    private sealed class MemberLink(WorldThread thread) : IEndpointLink
    {
        public bool Welcomed { get; set; }

        public void Kick() => thread.Wake();
    }
}
