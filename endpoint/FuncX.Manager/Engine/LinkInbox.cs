using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>
/// What the endpoint sends. Tasks stay in the memory the link read them into; only a frame that lies across two pieces is copied.
/// Benchmark: throughput.
/// </summary>
internal sealed unsafe class LinkInbox(Node node)
{
    /// <summary>Largest arguments of one task.</summary>
    public const long MaxArguments = 1 << 30;

    private const int MaxTasks = 1 << 20;

    // What the endpoint told on this connection, by its numbers, and what was made of it for those owners who used it.
    private readonly Dictionary<uint, Definition> _definitions = [];
    private readonly Dictionary<(uint Function, uint Owner), (NodeFunction Function, OwnerPool Pool)> _functions = [];
    private readonly Dictionary<uint, string> _owners = [];
    private readonly Dictionary<(TaskId, uint), JoinedFrames> _joining = [];
    private readonly Dictionary<(string Owner, WorkerKind Kind), OwnerPool> _pools = [];
    private (uint Function, uint Owner) _lastNumbers;
    private NodeFunction? _lastFunction;
    private OwnerPool? _lastPool;
    private long _now;

    /// <summary>A new link: numbers mean nothing any more, halves are gone.</summary>
    public void Reset()
    {
        _definitions.Clear();
        _functions.Clear();
        _owners.Clear();
        ForgetFunctions();
        foreach (var joined in _joining.Values)
            joined.Slab.Release();
        _joining.Clear();
        _lastFunction = null;
    }

    /// <summary>Takes all whole frames off the front.</summary>
    /// <exception cref="FrameException">The endpoint sent what it must not.</exception>
    public void Take(ref ReadOnlySequence<byte> input)
    {
        _now = Clock.UnixMicroseconds;
        while (!input.IsEmpty)
        {
            var first = input.First;
            var used = 0;
            if (MemoryMarshal.TryGetMemoryManager<byte, Slab>(first, out var slab, out var start, out var available))
            {
                while (FrameReader.TryRead(first.Span[used..available], out var header, out var length))
                {
                    Handle(header, slab, start + used, length);
                    used += length;
                }
            }

            if (used > 0)
            {
                input = input.Slice(used);
                continue;
            }

            var before = input;
            if (!FrameReader.TryRead(ref input, out var across, out var frame))
            {
                input = before;
                return;
            }

            var single = SlabPool.Single(across.FrameLength);
            frame.CopyTo(single.GetSpan());
            node.Hops.TaskBytesCopied += across.FrameLength;
            Handle(across, single, 0, across.FrameLength);
            single.Release();
        }
    }

    private void Handle(in FrameHeader header, Slab slab, int offset, int length)
    {
        var body = slab.GetSpan().Slice(offset + FrameHeader.Size, length - FrameHeader.Size);
        switch (header.Kind)
        {
            case FrameKind.Task when (header.Flags & FrameFlags.Segmented) == 0:
                Add(header, slab, offset, length);
                break;
            case FrameKind.Function when (header.Flags & FrameFlags.Segmented) == 0:
                Define(header, slab.GetSpan().Slice(offset, length));
                break;
            case FrameKind.Task or FrameKind.Function:
                Join(header, slab.GetSpan().Slice(offset, length));
                break;
            case FrameKind.Segment:
                Continue(header, slab.GetSpan().Slice(offset, length));
                break;
            case FrameKind.Owner:
                Name(header.Owner, MessageBody.Read(header.Kind, body, MessageJson.Default.OwnerName).Name);
                break;
            case FrameKind.Cancel:
                Cancel(header.Task);
                break;
            case FrameKind.Recall:
                Recall(BinaryPrimitives.ReadUInt32LittleEndian(AtLeast(sizeof(uint), header.Kind, body)));
                break;
            case FrameKind.Ack:
                node.Outbox.Acknowledge(BinaryPrimitives.ReadUInt64LittleEndian(AtLeast(sizeof(ulong), header.Kind, body)));
                TouchAll();
                break;
            case FrameKind.Probe:
                node.Runtimes.Ask();
                break;
            case FrameKind.Drain:
                node.Drain(patience: null);
                break;
            case FrameKind.Ends:
                node.OnJobEnds(header.DeadlineMicroseconds);
                break;
            case FrameKind.Heartbeat or FrameKind.Container:
                break;
            default:
                throw new FrameException($"the endpoint sent a frame of kind {header.Kind} to a manager");
        }
    }

    private void Add(in FrameHeader header, Slab slab, int offset, int length)
    {
        if (_lastFunction is null || _lastNumbers != (header.Function, header.Owner))
            Look(header);
        var function = _lastFunction!;
        var pool = _lastPool!;
        node.Hops.TasksReceived++;
        node.Hops.TaskBytesReceived += length;
        var slot = node.Table.Add();
        ref var task = ref node.Table[slot];
        slab.Retain();
        task.Id = header.Task;
        task.Slab = slab;
        task.Offset = offset;
        task.Length = length;
        task.Pool = pool;
        task.Function = function;
        task.ReceivedMicroseconds = _now;
        task.DeadlineMicroseconds = header.DeadlineMicroseconds;
        task.Ticket = header.Ticket;
        task.FunctionNumber = header.Function;
        task.WalltimeMilliseconds = header.WalltimeMilliseconds;
        task.Attempt = header.Attempt;
        task.Priority = header.Priority;
        task.Flags = header.Flags;
        var at = slab.Pointer + offset;
        var end = at + length;
        while (at < end)
        {
            *(uint*)(at + FrameHeader.FunctionOffset) = function.Number;
            *(uint*)(at + FrameHeader.TicketOffset) = (uint)slot;
            at += *(uint*)at;
        }

        if (node.Draining || node.Table.Count > MaxTasks)
        {
            node.Answers.Returned(slot);
            return;
        }

        if (header.DeadlineMicroseconds != 0)
            node.ArmDeadline(header.DeadlineMicroseconds - _now);
        pool.Queue.AddLast(slot);
        pool.Touch();
    }

    private void Look(in FrameHeader header)
    {
        if (!_definitions.TryGetValue(header.Function, out var definition))
            throw new FrameException($"task {header.Task} uses function number {header.Function}, which was not told before");
        if (!_owners.TryGetValue(header.Owner, out var owner))
            throw new FrameException($"task {header.Task} uses owner number {header.Owner}, which was not told before");
        _lastNumbers = (header.Function, header.Owner);
        if (!_functions.TryGetValue(_lastNumbers, out var known))
        {
            var pool = PoolOf(owner, definition.Kind);
            known = (pool.Functions.Find(definition.Content, definition.Frames), pool);
            _functions.Add(_lastNumbers, known);
        }

        (_lastFunction, _lastPool) = known;
    }

    private void Define(in FrameHeader header, ReadOnlySpan<byte> frames)
    {
        _definitions[header.Function] = new Definition(FunctionCache.ContentOf(frames), frames.ToArray(), WorkerKinds.Of(frames));
        foreach (var owner in _owners.Keys)
            _functions.Remove((header.Function, owner));
        _lastFunction = null;
    }

    // The endpoint has no way to be asked for a function, and tells each once on a connection: only between two can one be forgotten.
    private void ForgetFunctions()
    {
        var used = new HashSet<NodeFunction>();
        for (var slot = 0; slot < node.Table.Slots; slot++)
        {
            if (node.Table[slot].Place != TaskPlace.Free)
                used.Add(node.Table[slot].Function!);
        }

        foreach (var pool in node.Pools)
            pool.Functions.Forget(function => used.Contains(function) || pool.Workers.Any(worker => worker.Knows(function)));
    }

    private void Name(uint number, string name)
    {
        _owners[number] = name;
        foreach (var used in _functions.Keys.Where(used => used.Owner == number).ToArray())
            _functions.Remove(used);
        _lastFunction = null;
    }

    private OwnerPool PoolOf(string owner, WorkerKind kind)
    {
        if (_pools.TryGetValue((owner, kind), out var pool))
            return pool;
        // A name may hold anything; its hash is a safe and private directory.
        var directory = Path.Combine(node.Directory, "owners", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(owner)))[..16]);
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        pool = node.AddPool(owner, kind, directory);
        _pools.Add((owner, kind), pool);
        return pool;
    }

    private void Join(in FrameHeader header, ReadOnlySpan<byte> frame)
    {
        var whole = BinaryPrimitives.ReadInt64LittleEndian(AtLeast(sizeof(long), header.Kind, frame[FrameHeader.Size..]));
        if (whole < frame.Length - FrameHeader.Size - sizeof(long) || whole > MaxArguments)
            throw new FrameException($"{header.Kind} of {whole} bytes; at most {MaxArguments} are possible");
        if (_joining.Remove((header.Task, header.Function), out var old))
            old.Slab.Release();
        var joined = new JoinedFrames(header, whole);
        joined.Append(frame);
        joined.Missing = whole - (frame.Length - FrameHeader.Size - sizeof(long));
        _joining[(header.Task, header.Function)] = joined;
    }

    private void Continue(in FrameHeader header, ReadOnlySpan<byte> frame)
    {
        if (!_joining.TryGetValue((header.Task, header.Function), out var joined))
            throw new FrameException($"a segment of task {header.Task}, function {header.Function}, without a beginning");
        joined.Missing -= frame.Length - FrameHeader.Size;
        var last = (header.Flags & FrameFlags.Last) != 0;
        if (joined.Missing < 0 || last != (joined.Missing == 0))
            throw new FrameException($"the segments of task {header.Task}, function {header.Function}, do not make up the announced length");
        joined.Append(frame);
        if (!last)
            return;
        _joining.Remove((header.Task, header.Function));
        if (joined.Header.Kind == FrameKind.Task)
            Add(joined.Header, joined.Slab, 0, joined.Length);
        else
            Define(joined.Header, joined.Slab.GetSpan()[..joined.Length]);
        joined.Slab.Release();
    }

    private void Cancel(TaskId id)
    {
        foreach (var slot in node.Table.Find(id))
        {
            if (node.Table[slot].Place == TaskPlace.AtWorker && node.Table[slot].Id == id)
                node.Table[slot].Worker!.EndTask(slot, TaskOutcome.Cancelled, $"cancelled while it ran on node {node.Name}");
            if (node.Table[slot].Place != TaskPlace.Queued || node.Table[slot].Id != id)
                continue;
            node.Table[slot].Pool!.Queue.Remove(slot);
            node.Answers.Cancelled(slot);
        }
    }

    private void Recall(uint most)
    {
        var found = true;
        while (most > 0 && found)
        {
            found = false;
            foreach (var pool in node.Pools)
            {
                var slot = pool.Queue.Last;
                if (slot < 0 || most == 0)
                    continue;
                found = true;
                most--;
                pool.Queue.Remove(slot);
                node.Answers.Returned(slot);
            }
        }
    }

    private static ReadOnlySpan<byte> AtLeast(int bytes, FrameKind kind, ReadOnlySpan<byte> body) => body.Length >= bytes
        ? body
        : throw new FrameException($"a frame of kind {kind} has {body.Length} bytes of body; at least {bytes} are due");

    private void TouchAll()
    {
        foreach (var pool in node.Pools)
        {
            if (pool.Queue.Count > 0)
                pool.Touch();
        }
    }

    private sealed record Definition(string Content, byte[] Frames, WorkerKind Kind);

    private sealed class JoinedFrames(FrameHeader header, long whole)
    {
        public FrameHeader Header { get; } = header;

        public Slab Slab { get; } = SlabPool.Single((int)(whole + sizeof(long) + ((2 + (whole / FrameHeader.MaxBody)) * FrameHeader.Size)));

        public int Length { get; private set; }

        public long Missing { get; set; }

        public void Append(ReadOnlySpan<byte> frame)
        {
            frame.CopyTo(Slab.GetSpan()[Length..]);
            Length += frame.Length;
        }
    }
}
