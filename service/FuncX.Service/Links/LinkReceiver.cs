using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Service.Tasks.Events;
using FuncX.Wire;

namespace FuncX.Service.Links;

/// <summary>
/// Takes what an endpoint sends: parses result frames, puts segmented bodies together, makes large ones durable, and hands everything to the engine.
/// One reader at a time. At most <see cref="MostPending"/> messages wait for their commit; then it reads no further.
/// </summary>
public sealed class LinkReceiver(LinkSession link, TaskEngine engine, ServiceLimits limits) : IDisposable
{
    private const int MostPending = 64;

    /// <summary>link.proto says 512 KiB; as much again for an endpoint that fills up to it and adds one frame.</summary>
    private const int MostMessageBytes = 1 << 20;

    /// <summary>Larger ones go to disk as they come: many at once would fill the memory.</summary>
    private const long MostInMemory = 4 << 20;

    private readonly SemaphoreSlim _pending = new(MostPending);
    private readonly Dictionary<TaskId, Assembly> _assemblies = [];
    private readonly List<int> _large = [];

    /// <summary>Rows of <see cref="_large"/> that came in pieces, with their files.</summary>
    private readonly Dictionary<int, BodyWriter> _written = [];
    private TaskResult[] _results = [];
    private int _count;
    private ulong _sequence;

    /// <summary>Takes one message of results.</summary>
    /// <exception cref="FrameException">The message is malformed.</exception>
    /// <exception cref="StorageFullException">A large body could not be kept.</exception>
    public async ValueTask ReceiveAsync(EndpointResults message, bool inline)
    {
        if (message.Sequence <= _sequence)
            throw new FrameException($"sequence {message.Sequence} came after {_sequence}; it must rise");
        if (message.Frames.Length > MostMessageBytes)
            throw new FrameException($"message {message.Sequence} has {message.Frames.Length} bytes of frames; at most {MostMessageBytes} may be");
        await _pending.WaitAsync();
        _sequence = message.Sequence;
        _results = ArrayPool<TaskResult>.Shared.Rent(Math.Max(16, message.Frames.Length / (FrameHeader.Size + ResultPrefix.Size)));
        _count = 0;
        _large.Clear();
        GiveUpWritten();
        Parse(message.Frames.Memory, engine.Now);
        if (_large.Count > 0)
            await KeepLargeAsync();
        var posted = new ResultsEvent(link, _results, _count, Acknowledgeable(), Done);
        engine.Results(posted, inline);
    }

    /// <summary>Takes one message of tasks that come back unstarted.</summary>
    /// <exception cref="FrameException">The message is malformed.</exception>
    public void TakeBack(EndpointResults message)
    {
        var tasks = new List<(TaskId Task, ushort Attempt)>(message.Frames.Length / FrameHeader.Size);
        for (var frames = message.Frames.Span; frames.Length > 0;)
        {
            if (!FrameReader.TryRead(frames, out var header, out var length) || header.Kind != FrameKind.Returned)
                throw new FrameException($"{frames.Length} bytes of a message of returned tasks are no whole Returned frames");
            tasks.Add((header.Task, header.Attempt));
            frames = frames[length..];
        }

        engine.TakeBack(link, tasks);
    }

    public void Dispose()
    {
        GiveUpWritten();
        foreach (var assembly in _assemblies.Values)
            assembly.Writer?.Dispose();
        _pending.Dispose();
    }

    private void GiveUpWritten()
    {
        foreach (var writer in _written.Values)
            writer.Dispose();
        _written.Clear();
    }

    private void Done(ResultsEvent results)
    {
        results.GiveBack(engine);
        ArrayPool<TaskResult>.Shared.Return(results.Results, clearArray: true);
        try
        {
            _pending.Release();
        }
        catch (ObjectDisposedException)
        {
            // The link has ended meanwhile.
        }
    }

    /// <summary>A message whose body is not complete yet must come again after a restart, and with it all after it.</summary>
    private ulong Acknowledgeable()
    {
        var sequence = _sequence;
        foreach (var assembly in _assemblies.Values)
            sequence = Math.Min(sequence, assembly.FirstSequence - 1);
        return sequence;
    }

    private void Parse(ReadOnlyMemory<byte> frames, long now)
    {
        while (frames.Length > 0)
        {
            if (!FrameReader.TryRead(frames.Span, out var header, out var length))
                throw new FrameException($"the last frame of message {_sequence} is cut off: {frames.Length} bytes are left");
            var body = frames[FrameHeader.Size..length];
            frames = frames[length..];
            switch (header.Kind)
            {
                case FrameKind.Result when (header.Flags & FrameFlags.Segmented) != 0:
                    Begin(header, body.Span);
                    break;
                case FrameKind.Result:
                    Add(header, ResultPrefix.Read(body.Span, body.Length), body[ResultPrefix.Size..], now);
                    break;
                case FrameKind.Segment:
                    Continue(header, body.Span, now);
                    break;
                default:
                    throw new FrameException($"a frame of kind {header.Kind} came among results; Result and Segment may");
            }
        }
    }

    private void Begin(in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (body.Length < sizeof(long) + ResultPrefix.Size)
            throw new FrameException($"the first frame of task {header.Task} has {body.Length} bytes of body, too few for a length and a prefix");
        var whole = BinaryPrimitives.ReadUInt64LittleEndian(body);
        body = body[sizeof(long)..];
        if (whole <= (ulong)body.Length || whole > 1UL << 40)
            throw new FrameException($"the first frame of task {header.Task} says {whole} bytes in all and has {body.Length} of them");
        var prefix = ResultPrefix.Read(body, (long)whole);
        var assembly = new Assembly(prefix, (long)whole, _sequence) { Flags = header.Flags };
        var value = (long)whole - ResultPrefix.Size - prefix.StdoutBytes - prefix.StderrBytes;
        // The same task again: its earlier sending broke off with the manager that sent it.
        if (_assemblies.Remove(header.Task, out var earlier))
            earlier.Writer?.Dispose();
        _assemblies[header.Task] = assembly;
        if (value <= limits.ResultBytes && (long)prefix.StdoutBytes + prefix.StderrBytes <= ResultPrefix.LargestOutputs)
        {
            if ((long)whole <= MostInMemory)
                assembly.Body = [];
            else
                assembly.Writer = engine.Store.Segments.Begin();
        }

        assembly.Append(body[ResultPrefix.Size..]);
        if (_assemblies.Count > 1024)
            throw new FrameException($"{_assemblies.Count} results are segmented at once; at most 1024 may be");
    }

    private void Continue(in FrameHeader header, ReadOnlySpan<byte> body, long now)
    {
        if (!_assemblies.TryGetValue(header.Task, out var assembly))
            throw new FrameException($"a segment of task {header.Task} came without a first frame");
        assembly.Append(body);
        var last = (header.Flags & FrameFlags.Last) != 0;
        if (last != (assembly.Taken == assembly.BodyBytes) || assembly.Taken > assembly.BodyBytes)
            throw new FrameException($"task {header.Task} has {assembly.Taken} bytes of {assembly.BodyBytes} at the segment marked {(last ? "last" : "not last")}");
        if (!last)
            return;
        _assemblies.Remove(header.Task);
        var prefix = assembly.Prefix;
        // What is said of the result stands in its first frame.
        var whole = header;
        whole.Flags = assembly.Flags;
        if (assembly.Body is not null)
            Add(whole, prefix, assembly.Body, now);
        else if (assembly.Writer is { } writer)
            AddWritten(whole, prefix, writer, now);
        else
            AddTooLarge(whole, prefix, assembly.BodyBytes, now);
    }

    private void AddWritten(in FrameHeader header, in ResultPrefix prefix, BodyWriter writer, long now)
    {
        var row = _count;
        _written.Add(row, writer);
        Add(header, prefix, default, now);
        _results[row].BodyBytes = (int)writer.Length;
        _large.Add(row);
    }

    private void AddTooLarge(in FrameHeader header, ResultPrefix prefix, long bytes, long now)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new FailureBody(
            "TooLarge",
            $"The result of task {header.Task} has {bytes} bytes with its output; the service takes values up to {limits.ResultBytes} bytes (limit result_bytes) and output up to {ResultPrefix.LargestOutputs}. Write large data to a file and return its path."));
        prefix.Outcome = TaskOutcome.TooLarge;
        prefix.ContentType = ContentType.Json;
        prefix.StdoutBytes = prefix.StderrBytes = 0;
        Add(header, prefix, body, now);
    }

    private void Add(in FrameHeader header, in ResultPrefix prefix, ReadOnlyMemory<byte> body, long now)
    {
        if (_count == _results.Length)
            throw new FrameException($"message {_sequence} has more results than its bytes allow");
        ref var result = ref _results[_count++];
        result = new TaskResult
        {
            Batch = header.Task.Batch,
            // The endpoint numbers owners for itself; it runs the tasks of its own owner only.
            Owner = link.Owner,
            Index = (int)header.Task.Index,
            Attempt = header.Attempt,
            Outcome = prefix.Outcome,
            ContentType = prefix.ContentType,
            Code = prefix.Code,
            StdoutBytes = prefix.StdoutBytes,
            StderrBytes = prefix.StderrBytes,
            EndpointReceived = prefix.EndpointReceived,
            EndpointSent = prefix.EndpointSent,
            ManagerReceived = prefix.ManagerReceived,
            WorkerStarted = prefix.WorkerStarted,
            WorkerEnded = prefix.WorkerEnded,
            EndpointBack = prefix.EndpointBack,
            ServiceBack = now,
            CutOff = (header.Flags & FrameFlags.CutOff) != 0,
            BodyBytes = body.Length,
            Body = body,
        };
        if (body.Length <= SegmentFiles.LargeBody)
            return;
        _large.Add(_count - 1);
        if (prefix.Outcome == TaskOutcome.Exception)
            result.FailureType = Turn.ReadFailure(body.Span[..result.ValueBytes])?.Type;
    }

    /// <summary>
    /// Makes large bodies durable before the turn that refers to them. A result that comes again, because its acknowledgement was lost, would take its
    /// space again each time: only those of tasks that have not ended are written.
    /// </summary>
    private async ValueTask KeepLargeAsync()
    {
        var (results, rows) = (_results, _large);
        var ended = await engine.LookAsync(state => rows.FindAll(row => !state.Awaits(new BatchKey(results[row].Batch, results[row].Owner), results[row].Index)));
        try
        {
            SegmentReference first = default, last = default;
            foreach (var row in rows)
            {
                if (ended.Contains(row))
                    results[row].Index = -1;
                else if (_written.TryGetValue(row, out var writer))
                    results[row].Large = await writer.CompleteAsync();
                else
                    last = results[row].Large = engine.Store.Segments.Append(results[row].Body.Span);
                first = first.IsNone ? last : first;
                results[row].Body = default;
            }

            if (!last.IsNone)
                await engine.Store.Segments.SyncAsync(first, last);
            GiveUpWritten();
        }
        catch (StorageFullException)
        {
            // They come again over the next link, for as long as the disk refuses them.
            foreach (var row in rows)
            {
                if (!results[row].Large.IsNone)
                    engine.Store.Segments.GiveBack(results[row].Large, results[row].BodyBytes);
            }

            throw;
        }
    }

    private sealed class Assembly(ResultPrefix prefix, long wholeBytes, ulong firstSequence)
    {
        public ResultPrefix Prefix { get; } = prefix;

        public ulong FirstSequence { get; } = firstSequence;

        public FrameFlags Flags { get; init; }

        public byte[]? Body { get; set; }

        /// <summary>Takes what is too large for memory. Without either, it is too large for the service, and its bytes are only counted.</summary>
        public BodyWriter? Writer { get; set; }

        public long BodyBytes { get; } = wholeBytes - ResultPrefix.Size;

        public long Taken { get; private set; }

        public void Append(ReadOnlySpan<byte> slice)
        {
            var taken = Taken + slice.Length;
            if (taken <= BodyBytes)
                Writer?.Append(slice);
            if (Body is { } body && taken <= BodyBytes)
            {
                // Grows with what comes: an announcement alone takes no memory.
                if (body.Length < taken)
                    Array.Resize(ref body, (int)Math.Min(BodyBytes, Math.Max(taken, 2L * body.Length)));
                slice.CopyTo(body.AsSpan((int)Taken));
                Body = body;
            }

            Taken = taken;
        }
    }
}
