using System.Buffers.Binary;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.World.Functions;
using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>
/// The logical managers of a rank: each with its own number, registration, heartbeat and share of frames. The MPI thread's alone; what they say goes in the rank's messages.
/// Benchmark: scale.
/// </summary>
internal sealed class SimulatedManagers
{
    private const int MessageBytes = 64 * 1024;

    // What a hello or a status may need; with less room than this a message is not begun.
    private const int LeastRoom = 16 * 1024;

    /// <summary>Workers that end within so long of each other are answered together.</summary>
    private const long TogetherMicroseconds = 1000;

    private readonly WorldThread _thread;
    private readonly WorldPeer _leader;
    private readonly SimulatedFunctions _functions;
    private readonly SimulatedManager[] _managers;
    private readonly Queue<SimulatedManager> _listed = new();
    private readonly PriorityQueue<(SimulatedManager Manager, int Worker, uint Serial), long> _busy = new();
    private readonly uint _size;
    private readonly long _period;
    private long _lookAt;
    private long _endAt = long.MaxValue;
    private bool _draining;

    /// <param name="thread">Of this rank.</param>
    /// <param name="leader">The way to the leader.</param>
    /// <param name="functions">What brings functions here.</param>
    /// <param name="first">Id of the manager that has said hello for this rank.</param>
    /// <param name="node">Its node's name.</param>
    /// <param name="welcome">The answer to it.</param>
    public SimulatedManagers(WorldThread thread, WorldPeer leader, FunctionPart functions, string first, string node, Welcome welcome)
    {
        _thread = thread;
        _leader = leader;
        _functions = new SimulatedFunctions(functions.Want, problem => Console.Error.WriteLine($"funcx-manager {node}: {problem}"));
        _size = (uint)thread.Mpi.World.Size;
        _period = Math.Max(50, welcome.HeartbeatMs) * 1000L;
        _managers = new SimulatedManager[Math.Clamp(welcome.Workers.ManagersPerRank, 1, (1 << 20) / (int)_size)];
        var workers = Math.Clamp(welcome.Workers.PerNode, 1, SimulatedManager.MostWorkers);
        // What the rank has of functions its first manager tells.
        var none = new FunctionCounts();
        for (var i = 0; i < _managers.Length; i++)
        {
            var number = (uint)thread.Mpi.World.Rank + 1 + ((uint)i * _size);
            _managers[i] = new SimulatedManager(number, i == 0 ? first : Guid.NewGuid().ToString("N"), i == 0 ? node : $"{node}.{i}", workers, i == 0 ? functions.Counts : none);
        }
    }

    /// <summary>How many there are.</summary>
    public int Count => _managers.Length;

    /// <summary>When the next worker ends, or something else is due.</summary>
    public long Due => _busy.TryPeek(out _, out var end) ? Math.Min(end + TogetherMicroseconds, _lookAt) : _lookAt;

    /// <summary>True when all have drained, or had the time to.</summary>
    public bool Ended(long now) => _draining && (now >= _endAt || Array.TrueForAll(_managers, static manager => manager.Empty));

    /// <summary>All of them but those that are there say hello.</summary>
    public void Begin(bool all)
    {
        foreach (var manager in _managers)
        {
            if (!all && manager.Welcomed)
                continue;
            manager.Begin();
            List(manager);
        }
    }

    public void Greet(FrameKind kind, uint number, ReadOnlySpan<byte> body)
    {
        var manager = Find(number);
        try
        {
            LinkGreeting.Read(kind, body);
            if (!manager.Welcomed)
                manager.OnWelcome();
        }
        catch (LinkRefusedException)
        {
            manager.Begin();
        }

        List(manager);
    }

    public void OnFrames(ReadOnlySpan<byte> frames)
    {
        var now = Clock.UnixMicroseconds;
        SimulatedManager? manager = null;
        while (FrameReader.TryRead(frames, out var header, out var length))
        {
            var frame = frames[..length];
            var body = frame[FrameHeader.Size..];
            frames = frames[length..];
            if (manager?.Number != header.Destination)
                manager = Find(header.Destination);
            if (!manager.Welcomed)
                continue;
            switch (header.Kind)
            {
                case FrameKind.Task:
                    var arguments = (header.Flags & FrameFlags.Segmented) != 0 ? body[sizeof(long)..] : body;
                    manager.OnTask(new SimulatedTask(header, arguments, now), now, this);
                    break;
                case FrameKind.Cancel:
                    manager.OnCancel(header.Task, now, this);
                    break;
                case FrameKind.Recall:
                    manager.OnRecall(BinaryPrimitives.ReadUInt32LittleEndian(body));
                    break;
                case FrameKind.FunctionDigest:
                    _functions.OnNotice(FunctionNotice.Read(body));
                    continue;
                case FrameKind.Function:
                    _functions.OnFunction(frame);
                    continue;
                case FrameKind.Ack:
                    manager.OnAck(BinaryPrimitives.ReadUInt64LittleEndian(body));
                    continue;
                case FrameKind.Drain:
                    manager.Drain();
                    manager.OnRecall(uint.MaxValue);
                    break;
            }

            List(manager);
        }
    }

    /// <summary>Gives back what waits, and ends with what runs, or at a time.</summary>
    public void Drain(long endAt)
    {
        if (_draining)
            return;
        _draining = true;
        _endAt = endAt;
        foreach (var manager in _managers)
        {
            manager.Drain();
            manager.OnRecall(uint.MaxValue);
            List(manager);
        }
    }

    /// <summary>A worker is busy for so many microseconds.</summary>
    public void EndLater(SimulatedManager manager, int worker, uint serial, long microseconds) => _busy.Enqueue((manager, worker, serial), NodeTimer.Now + microseconds);

    /// <summary>Ends what is due and sends what there is to say; true when something went.</summary>
    public bool Send(uint generation, long now)
    {
        if (_busy.TryPeek(out _, out var first) && first <= now)
        {
            var clock = Clock.UnixMicroseconds;
            while (_busy.TryPeek(out var next, out var end) && end <= now)
            {
                _busy.Dequeue();
                next.Manager.OnEnd(next.Worker, next.Serial, clock, this);
                List(next.Manager);
            }
        }

        if (now >= _lookAt)
        {
            // A status is told a second after its cause, as a real node's.
            _lookAt = now + Math.Min(_period / 4, 1_000_000);
            foreach (var manager in _managers)
            {
                manager.Look(now, _period);
                List(manager);
            }
        }

        var sent = false;
        while (_listed.Count > 0 && generation != 0 && _leader.Room >= LeastRoom && SendMessage(generation, now))
            sent = true;
        return sent;
    }

    private bool SendMessage(uint generation, long now)
    {
        var buffer = _thread.Mpi.Buffers.Rent((int)Math.Min(_leader.Room, MessageBytes));
        var output = new FrameOutput(buffer.Span[WorldPrefix.Size..]);
        while (_listed.TryPeek(out var manager) && manager.Write(ref output, now))
        {
            manager.Listed = false;
            _listed.Dequeue();
        }

        if (output.Used == 0)
        {
            buffer.Dispose();
            return false;
        }

        buffer.Length = WorldPrefix.Size + output.Used;
        _leader.Send(WorldTag.FramesUp, buffer, generation, (uint)Count);
        return true;
    }

    private void List(SimulatedManager manager)
    {
        if (manager.Listed || !manager.HasOutput)
            return;
        manager.Listed = true;
        _listed.Enqueue(manager);
    }

    private SimulatedManager Find(uint number)
    {
        var index = (number - 1) / _size;
        return number > 0 && index < (uint)_managers.Length ? _managers[index] : throw new FrameException($"the endpoint sent a frame to manager {number}, and this rank has {_managers.Length}");
    }
}
