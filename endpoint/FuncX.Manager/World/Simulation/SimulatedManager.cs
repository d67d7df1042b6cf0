using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using FuncX.Manager.Engine;
using FuncX.Manager.Link;
using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>
/// A logical manager whose workers only wait the duration that a task states: registration, inventory, marks, heartbeats and status are those of a real one. Pure but for its caller's
/// clock; its rank asks it for its frames. Benchmark: scale.
/// </summary>
internal sealed class SimulatedManager(uint number, string id, string node, int workers, FunctionCounts functions)
{
    /// <summary>Most workers of one.</summary>
    public const int MostWorkers = 64;

    private const int MarkBytes = FrameHeader.Size + sizeof(ulong);
    private const int EntriesPerFrame = 500;

    private readonly SimulatedTask[] _running = new SimulatedTask[workers];
    private readonly long[] _started = new long[workers];
    private readonly uint[] _serials = new uint[workers];
    private readonly Stack<int> _free = new(Enumerable.Range(0, workers));
    private readonly LinkedList<SimulatedTask> _queue = [];
    private readonly Queue<FrameHeader> _returned = new();
    private readonly List<SimulatedResult> _held = [];
    private readonly Queue<byte[]> _inventory = new();
    private int _acknowledged;
    private int _sent;
    private ulong _mark;
    private bool _helloDue;
    private bool _beatDue;
    private bool _statusDue;
    private long _received;
    private long _answered;
    private long _answeredBytes;
    private long _told = -1;

    public uint Number => number;

    /// <summary>The endpoint has answered its hello.</summary>
    public bool Welcomed { get; private set; }

    /// <summary>It stands in its rank's list of those with output.</summary>
    public bool Listed { get; set; }

    public long SentAt { get; private set; }

    public bool Draining { get; private set; }

    /// <summary>True when it holds nothing any more and has said so.</summary>
    public bool Empty => _held.Count == _acknowledged && _queue.Count == 0 && _free.Count == workers && _returned.Count == 0;

    public bool HasOutput => _helloDue || (Welcomed && (_inventory.Count > 0 || _beatDue || _statusDue || _returned.Count > 0 || _sent < _held.Count));

    private long Activity => _received + _answered + functions.Sum;

    /// <summary>It takes no more tasks, and says so.</summary>
    public void Drain()
    {
        _statusDue |= !Draining;
        Draining = true;
    }

    /// <summary>It has to say hello: there is a link, or it was refused.</summary>
    public void Begin()
    {
        Welcomed = false;
        _helloDue = true;
        _returned.Clear();
        _inventory.Clear();
    }

    public void OnWelcome()
    {
        Welcomed = true;
        _helloDue = false;
        _sent = _acknowledged;
        _statusDue = true;
        WriteInventory();
    }

    /// <summary>Takes a task up or queues it; tells the rank when a worker is busy with it until later.</summary>
    public void OnTask(in SimulatedTask task, long now, SimulatedManagers rank)
    {
        _received++;
        if (Draining)
            _returned.Enqueue(task.Header);
        else if (_free.Count == 0)
            _queue.AddLast(task);
        else
            Start(task, now, rank);
    }

    /// <summary>A worker's time is over, unless its task was ended before.</summary>
    public void OnEnd(int worker, uint serial, long now, SimulatedManagers rank)
    {
        if (_serials[worker] != serial)
            return;
        Free(worker, TaskOutcome.Value, now);
        Next(now, rank);
    }

    public void OnCancel(TaskId task, long now, SimulatedManagers rank)
    {
        for (var worker = 0; worker < workers; worker++)
        {
            if ((_serials[worker] & 1) != 0 && _running[worker].Header.Task == task)
                Free(worker, TaskOutcome.Cancelled, now);
        }

        for (var waiting = _queue.First; waiting is not null; waiting = waiting.Next)
        {
            if (waiting.Value.Header.Task != task)
                continue;
            Answer(waiting.Value, TaskOutcome.Cancelled, now, now);
            _queue.Remove(waiting);
            break;
        }

        Next(now, rank);
    }

    /// <summary>Gives back at most so many that wait.</summary>
    public void OnRecall(uint most)
    {
        for (; most > 0 && _queue.Last is { } last; most--)
        {
            _returned.Enqueue(last.Value.Header);
            _queue.RemoveLast();
        }
    }

    public void OnAck(ulong mark)
    {
        while (_acknowledged < _held.Count && _held[_acknowledged].Mark is > 0 and var held && held <= mark)
            _acknowledged++;
        _sent = Math.Max(_sent, _acknowledged);
        // Now and then, so that what is left is moved seldom.
        if (_acknowledged * 2 < _held.Count)
            return;
        _held.RemoveRange(0, _acknowledged);
        _sent -= _acknowledged;
        _acknowledged = 0;
    }

    /// <summary>Once in a while: a heartbeat when nothing else was said, a status when something has changed, hello again when it was not answered.</summary>
    public void Look(long now, long period)
    {
        var silent = now - SentAt;
        if (!Welcomed)
            _helloDue |= silent > LinkGreeting.Limit.TotalMicroseconds;
        else if (_told != Activity)
            _statusDue = true;
        else
            _beatDue |= silent > period * 3 / 4;
    }

    /// <summary>Appends what there is; false when the message has no room for all.</summary>
    public bool Write(ref FrameOutput output, long now)
    {
        SentAt = now;
        if (_helloDue)
        {
            if (!output.TryAdd(Header(FrameKind.Hello), Hello()))
                return false;
            _helloDue = false;
        }

        if (!Welcomed)
            return true;
        if (_beatDue && !output.TryAdd(Header(FrameKind.Heartbeat), default))
            return false;
        _beatDue = false;
        while (_inventory.TryPeek(out var entries))
        {
            var header = Header(FrameKind.Inventory);
            header.Flags = _inventory.Count == 1 ? FrameFlags.Last : FrameFlags.None;
            if (!output.TryAdd(header, entries))
                return false;
            _inventory.Dequeue();
        }

        while (_returned.TryPeek(out var task))
        {
            task.Kind = FrameKind.Returned;
            task.Flags = FrameFlags.None;
            task.ContentType = ContentType.None;
            if (!output.TryAdd(task, default))
                return false;
            _returned.Dequeue();
        }

        return WriteResults(ref output) && (!_statusDue || WriteStatus(ref output));
    }

    private void Start(in SimulatedTask task, long now, SimulatedManagers rank)
    {
        if (task.Duration == 0)
        {
            Answer(task, TaskOutcome.Value, now, now);
            return;
        }

        var worker = _free.Pop();
        _running[worker] = task;
        _started[worker] = now;
        // Odd while it is busy.
        rank.EndLater(this, worker, ++_serials[worker], task.Duration);
    }

    private void Free(int worker, TaskOutcome outcome, long now)
    {
        _serials[worker]++;
        _free.Push(worker);
        Answer(_running[worker], outcome, _started[worker], now);
    }

    private void Next(long now, SimulatedManagers rank)
    {
        while (_free.Count > 0 && _queue.First is { } next)
        {
            _queue.RemoveFirst();
            Start(next.Value, now, rank);
        }
    }

    private void Answer(in SimulatedTask task, TaskOutcome outcome, long started, long ended)
    {
        _answered++;
        _held.Add(new SimulatedResult(task, outcome, started, ended));
    }

    private bool WriteResults(ref FrameOutput output)
    {
        while (_sent < _held.Count)
        {
            var unmarked = _held[_sent].Mark == 0;
            var mark = unmarked ? ++_mark : _held[_sent].Mark;
            var from = _sent;
            var held = CollectionsMarshal.AsSpan(_held);
            while (_sent < held.Length && held[_sent].Mark == (unmarked ? 0 : mark) && output.Room >= held[_sent].Bytes + MarkBytes)
            {
                ref var result = ref held[_sent++];
                result.Mark = mark;
                var answer = output.Take(result.Bytes);
                result.Write(answer);
                _answeredBytes += answer.Length;
                BinaryPrimitives.WriteUInt32LittleEndian(answer[FrameHeader.DestinationOffset..], number);
            }

            if (_sent == from)
            {
                if (unmarked)
                    _mark--;
                return false;
            }

            // The others of a batch that is sent again follow in the next message, with its mark anew.
            if (_sent < _held.Count && _held[_sent].Mark == mark)
                continue;
            var frame = output.Take(MarkBytes);
            (Header(FrameKind.Mark) with { BodyLength = sizeof(ulong) }).Write(frame);
            BinaryPrimitives.WriteUInt64LittleEndian(frame[FrameHeader.Size..], mark);
        }

        return true;
    }

    private bool WriteStatus(ref FrameOutput output)
    {
        var hops = new StatusHops(_received, _received * FrameHeader.Size, _received, _answered, _answeredBytes, (long)_mark, 0, 0, functions.Received, functions.BytesReceived, functions.BytesSent);
        var status = new Status(workers, workers - _free.Count, _queue.Count, "simulated workers", Runtimes: null, Staging: null, Draining, hops);
        if (!output.TryAdd(Header(FrameKind.Status), JsonSerializer.SerializeToUtf8Bytes(status, MessageJson.Default.Status)))
            return false;
        _statusDue = false;
        _told = Activity;
        return true;
    }

    private byte[] Hello() => LinkGreeting.Body(new Hello
    {
        Role = "manager",
        Version = ProtocolVersion.Product,
        ProtocolMinimum = ProtocolVersion.Minimum,
        ProtocolMaximum = ProtocolVersion.Maximum,
        Manager = id,
        Node = node,
        Pid = Environment.ProcessId,
    });

    private void WriteInventory()
    {
        _inventory.Clear();
        var entries = new List<InventoryEntry>();
        foreach (var result in _held.Skip(_acknowledged))
            entries.Add(new InventoryEntry(result.Task.Header.Task, result.Task.Header.Attempt, HeldState.Finished));
        foreach (var waiting in _queue)
            entries.Add(new InventoryEntry(waiting.Header.Task, waiting.Header.Attempt, HeldState.Queued));
        for (var worker = 0; worker < workers; worker++)
        {
            if ((_serials[worker] & 1) != 0)
                entries.Add(new InventoryEntry(_running[worker].Header.Task, _running[worker].Header.Attempt, HeldState.Running));
        }

        var from = 0;
        do
        {
            var count = Math.Min(EntriesPerFrame, entries.Count - from);
            var body = new byte[count * InventoryEntry.Size];
            for (var i = 0; i < count; i++)
                entries[from + i].Write(body.AsSpan(i * InventoryEntry.Size));
            _inventory.Enqueue(body);
            from += count;
        }
        while (from < entries.Count);
    }

    private FrameHeader Header(FrameKind kind) => new() { Kind = kind, Destination = number };
}
