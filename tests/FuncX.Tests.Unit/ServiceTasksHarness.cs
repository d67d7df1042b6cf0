using System.Buffers;
using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>A task engine on a directory of its own, with endpoints played by the test.</summary>
internal sealed class EngineHarness : IDisposable
{
    public const int Owner = 7;
    public const int Endpoint = 3;

    private readonly bool _ownsDirectory;
    private readonly ServiceLimits _limits;
    private ulong _sequence;

    public EngineHarness(string? directory = null, ServiceLimits? limits = null)
    {
        _ownsDirectory = directory is null;
        Directory = directory ?? Path.Combine(Path.GetTempPath(), $"funcx-engine-{Guid.NewGuid():N}");
        _limits = limits ?? new ServiceLimits();
        Open();
    }

    public string Directory { get; }

    public FakeTimeProvider Time { get; } = new(DateTimeOffset.UtcNow);

    public TaskStore Store { get; private set; } = null!;

    public TaskEngine Engine { get; private set; } = null!;

    /// <summary>Ends the engine as a stop does and opens the directory again.</summary>
    public void Restart()
    {
        Close();
        Open();
    }

    public SubmissionRecord Batch(int count, string group = "g", int bytes = 5, ushort attempts = 3, byte priority = 0, long deadline = 0, UInt128 content = default) => new()
    {
        Key = new BatchKey(BatchId.New(Time.GetUtcNow().ToUnixTimeMilliseconds()), Owner),
        Function = 11,
        Endpoint = Endpoint,
        Group = group,
        ContentType = ContentType.Json,
        Priority = priority,
        MaxAttempts = attempts,
        Deadline = deadline,
        Content = content,
        Accepted = Engine.Now,
        ClientSent = Engine.Now - 100,
        Count = count,
        SameLength = bytes,
        Bodies = Enumerable.Range(0, count * bytes).Select(static value => (byte)value).ToArray(),
    };

    public async Task<SubmissionRecord> SubmitAsync(int count, string group = "g", int bytes = 5, ushort attempts = 3)
    {
        var batch = Batch(count, group, bytes, attempts);
        (await Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        return batch;
    }

    /// <summary>Opens a link whose endpoint holds these tasks and takes any number.</summary>
    public Task<LinkSession> ConnectAsync(string instance = "one", params InventoryEntry[] held) => ConnectAsync(new LinkSession(Owner, "ann", instance, "1.0"), held);

    /// <summary>The same with a link that the test made.</summary>
    public async Task<LinkSession> ConnectAsync(LinkSession link, params InventoryEntry[] held)
    {
        (await Engine.ConnectAsync(link, Endpoint, "a newer one")).ShouldBeTrue();
        Engine.Credit(link, 1_000_000, 1UL << 40, inline: true);
        (await Engine.ReconcileAsync(link, held)).ShouldBeTrue();
        return link;
    }

    /// <summary>What the service has sent over a link since the last look.</summary>
    public async Task<Sent> TakeAsync(LinkSession link)
    {
        // A look goes through a turn, so everything before it has been put in line.
        await Engine.LookAsync(static _ => true);
        var sent = new Sent();
        while (link.TryTake(out var item))
        {
            switch (item.Kind)
            {
                case LinkItemKind.Tasks:
                    for (var index = item.Assignment.From; index < item.Assignment.From + item.Assignment.Count; index++)
                    {
                        sent.Tasks.Add((new TaskId(item.Assignment.Batch.Key.Id, (uint)index), item.Assignment.Slots[index].Attempt));
                        if (item.Assignment.Slots[index].Alone)
                            sent.Alone.Add(new TaskId(item.Assignment.Batch.Key.Id, (uint)index));
                    }

                    break;
                case LinkItemKind.Acknowledge:
                    sent.Acknowledged = item.Sequence;
                    break;
                case LinkItemKind.Cancel:
                    sent.Cancels.Add(item.Task);
                    break;
                default:
                    sent.Superseded = true;
                    break;
            }
        }

        return sent;
    }

    /// <summary>A message of tasks that come back unstarted, as an endpoint sends it.</summary>
    public static EndpointResults Returned(params (TaskId Task, ushort Attempt)[] tasks)
    {
        var frames = new ArrayBufferWriter<byte>();
        foreach (var (task, attempt) in tasks)
            FrameWriter.Write(frames, new FrameHeader { Kind = FrameKind.Returned, Attempt = attempt, Task = task }, []);
        return new EndpointResults { Frames = ByteString.CopyFrom(frames.WrittenSpan) };
    }

    /// <summary>A message of result frames, as an endpoint sends it.</summary>
    public static EndpointResults Message(ulong sequence, params (TaskId Task, ushort Attempt, TaskOutcome Outcome, byte[] Value)[] results)
    {
        var frames = new ArrayBufferWriter<byte>();
        foreach (var (task, attempt, outcome, value) in results)
        {
            var body = new byte[ResultPrefix.Size + value.Length];
            new ResultPrefix { Outcome = outcome, ContentType = ContentType.Json, WorkerStarted = 1_000, WorkerEnded = 2_000 }.Write(body);
            value.CopyTo(body, ResultPrefix.Size);
            FrameWriter.WriteSegmented(frames, new FrameHeader { Kind = FrameKind.Result, Attempt = attempt, Task = task, Owner = Owner }, body);
        }

        return new EndpointResults { Sequence = sequence, Frames = ByteString.CopyFrom(frames.WrittenSpan) };
    }

    /// <summary>Has the link's endpoint send one result, numbered after the last one of these, and waits until it has been taken in.</summary>
    public async Task EndAsync(LinkSession link, TaskId task, ushort attempt, TaskOutcome outcome, byte[] value)
    {
        using var receiver = Receiver(link);
        await receiver.ReceiveAsync(Message(++_sequence, (task, attempt, outcome, value)), inline: true);
        await Engine.LookAsync(static _ => true);
    }

    /// <summary>A lost execution that its node's end cut off.</summary>
    public static EndpointResults CutOff(ulong sequence, TaskId task, ushort attempt)
    {
        var message = Message(sequence, (task, attempt, TaskOutcome.AttemptLost, "{\"type\":\"CutOff\",\"message\":\"was cut off\"}"u8.ToArray()));
        var frame = message.Frames.ToByteArray();
        frame[FrameHeader.FlagsOffset] = (byte)FrameFlags.CutOff;
        message.Frames = ByteString.CopyFrom(frame);
        return message;
    }

    /// <summary>The same as messages of one frame each: large bodies do not fit into one message.</summary>
    public static IEnumerable<EndpointResults> Messages(params (TaskId Task, ushort Attempt, TaskOutcome Outcome, byte[] Value)[] results)
    {
        var frames = Message(0, results).Frames.Memory;
        for (var sequence = 1ul; FrameReader.TryRead(frames.Span, out _, out var length); sequence++)
        {
            yield return new EndpointResults { Sequence = sequence, Frames = ByteString.CopyFrom(frames[..length].Span) };
            frames = frames[length..];
        }
    }

    /// <summary>Everything that a stream of the group's results says from a cursor on, until it ends.</summary>
    public async Task<List<ResultChunk>> ReadAsync(string group = "g", ulong cursor = 0)
    {
        var writer = new ChunkList();
        await ReadAsync(writer, group, cursor);
        return writer.Chunks;
    }

    public async Task ReadAsync(ChunkList output, string group = "g", ulong cursor = 0) =>
        (await new ResultStream(Engine, Owner, group, output).RunAsync(cursor, follow: false, CancellationToken.None)).ShouldBeTrue();

    /// <summary>The first that a following stream of the group's results says from the beginning.</summary>
    public async Task<ResultChunk> FollowOneAsync(string group = "g")
    {
        using var enough = new CancellationTokenSource();
        var writer = new ChunkList { Written = enough.CancelAsync };
        await Should.ThrowAsync<OperationCanceledException>(() => new ResultStream(Engine, Owner, group, writer).RunAsync(0, follow: true, enough.Token));
        return writer.Chunks[0];
    }

    /// <summary>Outcome of every task that the chunks tell of; a task told twice fails.</summary>
    public static Dictionary<TaskId, Outcome> Outcomes(IEnumerable<ResultChunk> chunks)
    {
        var outcomes = new Dictionary<TaskId, Outcome>();
        foreach (var chunk in chunks)
        {
            foreach (var (task, row) in Tasks(chunk).Select(static (task, row) => (task, row)))
                outcomes.Add(task, chunk.Outcomes.Count == 0 ? Outcome.Value : (Outcome)chunk.Outcomes[row]);
        }

        return outcomes;
    }

    /// <summary>Tasks of a chunk and their values as text, in order.</summary>
    public static List<(TaskId Task, string Value)> Values(ResultChunk chunk)
    {
        var at = 0;
        return [.. Tasks(chunk).Select((task, row) =>
        {
            var length = (int)chunk.Lengths[row];
            at += length;
            return (task, System.Text.Encoding.UTF8.GetString(chunk.Bodies.Span.Slice(at - length, length)));
        })];
    }

    private static List<TaskId> Tasks(ResultChunk chunk)
    {
        var counts = chunk.Counts.Count == 0 ? [(uint)chunk.Index.Count] : chunk.Counts.ToArray();
        chunk.BatchIds.Length.ShouldBe(counts.Length * BatchId.Size);
        var tasks = new List<TaskId>();
        for (var batch = 0; batch < counts.Length; batch++)
        {
            for (var row = 0; row < counts[batch]; row++)
                tasks.Add(new TaskId(BatchId.Read(chunk.BatchIds.Span[(batch * BatchId.Size)..]), chunk.Index[tasks.Count]));
        }

        return tasks;
    }

    public TaskReader TaskReader()
    {
        var registry = RegistryDatabase.Open(Directory);
        return new TaskReader(Engine, new FunctionCatalog(registry), new EndpointCatalog(registry, TimeProvider.System));
    }

    public LinkReceiver Receiver(LinkSession link) => new(link, Engine, _limits);

    public void Dispose()
    {
        Close();
        if (_ownsDirectory)
            System.IO.Directory.Delete(Directory, recursive: true);
    }

    private void Open()
    {
        Store = TaskStore.Open(Directory, logBytes: 1 << 20);
        Engine = new TaskEngine(Store, _limits, Time, NullLogger<TaskEngine>.Instance);
    }

    private void Close()
    {
        Engine.Dispose();
        Store.Dispose();
    }

    internal sealed class Sent
    {
        public List<(TaskId Task, ushort Attempt)> Tasks { get; } = [];

        public List<TaskId> Alone { get; } = [];

        public List<TaskId> Cancels { get; } = [];

        public ulong Acknowledged { get; set; }

        public bool Superseded { get; set; }
    }

    public sealed class ChunkList : IAsyncStreamWriter<ResultChunk>
    {
        public List<ResultChunk> Chunks { get; } = [];

        public Func<Task> Written { get; init; } = static () => Task.CompletedTask;

        /// <summary>For each message whether it was to be flushed at once.</summary>
        public List<bool> Flushed { get; } = [];

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(ResultChunk message)
        {
            Chunks.Add(message);
            Flushed.Add(WriteOptions?.Flags.HasFlag(WriteFlags.BufferHint) != true);
            return Written();
        }

        Task IAsyncStreamWriter<ResultChunk>.WriteAsync(ResultChunk message, CancellationToken cancellationToken) => WriteAsync(message);
    }
}
