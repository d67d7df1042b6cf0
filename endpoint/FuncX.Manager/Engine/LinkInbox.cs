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

    // What the body of a function must be that follows; and those that come another way.
    private readonly Dictionary<uint, FunctionDigest> _announced = [];
    private readonly AwaitedFunctions _awaited = new();
    private readonly Dictionary<(TaskId, uint), JoinedFrames> _joining = [];
    private readonly Dictionary<(string Owner, WorkerKind Kind), OwnerPool> _pools = [];
    private (uint Function, uint Owner) _lastNumbers;
    private NodeFunction? _lastFunction;
    private OwnerPool? _lastPool;
    private long _now;

    /// <summary>Tasks that wait for their function to come.</summary>
    public int Waiting => _awaited.Count;

    /// <summary>Whether a function has been announced and is not here.</summary>
    public bool Awaits(FunctionDigest digest) => _awaited.Has(digest);

    /// <summary>A new link: numbers mean nothing any more, halves are gone.</summary>
    public void Reset()
    {
        _definitions.Clear();
        _announced.Clear();
        _awaited.Clear();
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
            case FrameKind.FunctionDigest:
                Announce(header.Function, FunctionNotice.Read(body));
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
        node.Hops.TasksReceived++;
        node.Hops.TaskBytesReceived += length;
        if (_lastFunction is null || _lastNumbers != (header.Function, header.Owner))
        {
            if (_awaited.Has(header.Function))
            {
                Hold(new HeldTask(header, slab, offset, length, _now));
                return;
            }

            Look(header);
        }

        Queue(header, slab, offset, length, _now);
    }

    private void Queue(in FrameHeader header, Slab slab, int offset, int length, long received)
    {
        var function = _lastFunction!;
        var pool = _lastPool!;
        var slot = Put(header, slab, offset, length, received);
        ref var task = ref node.Table[slot];
        task.Pool = pool;
        task.Function = function;
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

    private int Put(in FrameHeader header, Slab slab, int offset, int length, long received)
    {
        var slot = node.Table.Add();
        ref var task = ref node.Table[slot];
        slab.Retain();
        task.Id = header.Task;
        task.Slab = slab;
        task.Offset = offset;
        task.Length = length;
        task.ReceivedMicroseconds = received;
        task.DeadlineMicroseconds = header.DeadlineMicroseconds;
        task.Ticket = header.Ticket;
        task.FunctionNumber = header.Function;
        task.WalltimeMilliseconds = header.WalltimeMilliseconds;
        task.Attempt = header.Attempt;
        task.Priority = header.Priority;
        task.Flags = header.Flags;
        return slot;
    }

    private void Hold(in HeldTask task)
    {
        if (node.Draining || node.Table.Count + _awaited.Count > MaxTasks)
            node.Answers.Returned(Put(task));
        else
            _awaited.Hold(task);
    }

    private int Put(in HeldTask task) => Put(task.Header, task.Slab, task.Offset, task.Length, task.ReceivedMicroseconds);

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

    private void Announce(uint function, in FunctionNotice notice)
    {
        if (notice.Bytes == 0)
        {
            _announced[function] = notice.Digest;
            return;
        }

        // Known from an earlier connection, by whichever owner.
        var content = notice.Digest.ToString();
        foreach (var pool in node.Pools)
        {
            if (pool.Functions.FramesOf(content) is not { } frames)
                continue;
            Define(function, frames, content);
            return;
        }

        Await(function, notice.Digest, notice.Bytes);
    }

    private void Await(uint function, FunctionDigest digest, long bytes)
    {
        _awaited.Await(function, digest);
        _lastFunction = null;
        node.WantFunction(digest, bytes);
    }

    /// <summary>A function that was awaited has come.</summary>
    /// <exception cref="FrameException">It is none.</exception>
    public void OnFunction(FunctionDigest digest, ReadOnlySpan<byte> body)
    {
        _now = Clock.UnixMicroseconds;
        byte[]? frames = null;
        while (_awaited.TryTake(digest, out var function, out var tasks))
        {
            try
            {
                frames ??= FramesOf(body);
                Define(function, frames, digest.ToString());
                foreach (var task in tasks)
                {
                    if (_lastFunction is null || _lastNumbers != (function, task.Header.Owner))
                        Look(task.Header);
                    Queue(task.Header, task.Slab, task.Offset, task.Length, task.ReceivedMicroseconds);
                }
            }
            finally
            {
                foreach (var task in tasks)
                    task.Slab.Release();
            }
        }
    }

    /// <summary>Gives back what waits for a function: the node takes no more.</summary>
    public void ReturnWaiting() => ReturnWaiting(uint.MaxValue);

    private static byte[] FramesOf(ReadOnlySpan<byte> body)
    {
        var frames = new ArrayBufferWriter<byte>(Math.Max(FrameHeader.Size + body.Length, FrameWriter.SegmentedBytes(body.Length)));
        FrameWriter.WriteSegmented(frames, new FrameHeader { Kind = FrameKind.Function, ContentType = ContentType.Json }, body);
        return frames.WrittenSpan.ToArray();
    }

    private static long BodyBytes(ReadOnlySpan<byte> frames)
    {
        long bytes = (FrameHeader.Read(frames).Flags & FrameFlags.Segmented) != 0 ? -sizeof(long) : 0;
        for (; frames.Length > 0; frames = frames[BinaryPrimitives.ReadInt32LittleEndian(frames)..])
            bytes += BinaryPrimitives.ReadInt32LittleEndian(frames) - FrameHeader.Size;
        return bytes;
    }

    private void Define(in FrameHeader header, ReadOnlySpan<byte> frames)
    {
        var digest = FunctionDigest.Of(frames);
        if (_announced.Remove(header.Function, out var announced) && digest != announced)
        {
            Console.Error.WriteLine($"funcx-manager {node.Name}: function {announced} came with SHA-256 {digest}; it is asked for again");
            Await(header.Function, announced, BodyBytes(frames));
            return;
        }

        Define(header.Function, frames.ToArray(), digest.ToString());
    }

    private void Define(uint function, byte[] frames, string content)
    {
        _definitions[function] = new Definition(content, frames, WorkerKinds.Of(frames));
        foreach (var owner in _owners.Keys)
            _functions.Remove((function, owner));
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
        while (_awaited.TryTake(id, out var held))
        {
            node.Answers.Cancelled(Put(held));
            held.Slab.Release();
        }

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

    private uint ReturnWaiting(uint most)
    {
        for (; most > 0 && _awaited.TryTakeLast(out var held); most--)
        {
            node.Answers.Returned(Put(held));
            held.Slab.Release();
        }

        return most;
    }

    private void Recall(uint most)
    {
        most = ReturnWaiting(most);
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
