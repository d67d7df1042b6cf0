using System.Text;
using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Tests.Client.Fake;

/// <summary>What the service keeps, and how it misbehaves.</summary>
public sealed class FakeState : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (byte[] Content, TaskInfo[] Tasks)> _batches = [];
    private readonly Dictionary<string, List<ResultChunk>> _groups = [];
    private readonly List<(SubmitRequest Request, TaskInfo[] Tasks)> _held = [];
    private readonly Dictionary<string, Dictionary<string, string>> _labels = [];
    private CancellationTokenSource _streams = new();
    private CancellationTokenSource _results = new();
    private readonly List<(int Calls, TaskCompletionSource Reached)> _awaited = [];
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _cursor;
    private int _calls;

    public List<FunctionInfo> Functions { get; } = [];

    public List<ContainerInfo> Containers { get; } = [];

    public List<EndpointInfo> Endpoints { get; } = [];

    /// <summary>What a function does: entry name to outcome and value from the arguments' JSON. Missing: the first argument comes back.</summary>
    public Dictionary<string, Func<string, (TaskOutcome, string)>> Behaviours { get; } = [];

    /// <summary>Asked before each batch is accepted; a status other than OK refuses it.</summary>
    public Func<SubmitRequest, Status>? Refusal { get; set; }

    /// <summary>Runs when a submission has come, before it is looked at; the token ends with its call.</summary>
    public Func<SubmitRequest, CancellationToken, Task>? SubmissionArrives { get; set; }

    /// <summary>Results are sent in pieces of at most so many, the newest first when <see cref="Backwards"/>.</summary>
    public int ChunkSize { get; set; } = 1_000;

    public bool Backwards { get; set; }

    /// <summary>Send each message of results twice.</summary>
    public bool RepeatChunks { get; set; }

    /// <summary>End a stream of results after so many messages; 0: never.</summary>
    public int CutResultsAfter { get; set; }

    /// <summary>Accept, but end the stream instead of answering, for so many batches.</summary>
    public int ForgetReplies { get; set; }

    /// <summary>Written to standard output by every task.</summary>
    public string Output { get; set; } = "";

    /// <summary>Results are made only while it is open.</summary>
    public bool Holding { get; set; }

    /// <summary>Keep nothing of what was submitted but results that were not read yet.</summary>
    public bool Forgetting { get; set; }

    public List<SubmitRequest> Submissions { get; } = [];

    public List<ListGroupsRequest> GroupLists { get; } = [];

    public int GroupsPerPage { get; set; } = 1_000;

    public int DuplicateSubmissions { get; private set; }

    public int ResultStreams { get; set; }

    /// <summary>Runs when a stream of results is opened, before its headers go.</summary>
    public Func<Task>? ResultStreamOpens { get; set; }

    /// <summary>Ids of tasks, and groups, in the order in which they were cancelled.</summary>
    public List<string> Cancelled { get; } = [];

    /// <summary>How much each request to cancel named.</summary>
    public List<int> CancelRequests { get; } = [];

    public CancellationToken StreamsEnd => _streams.Token;

    public CancellationToken ResultsEnd => _results.Token;

    public static string Value(string arguments)
    {
        using var document = JsonDocument.Parse(arguments);
        return document.RootElement.ValueKind == JsonValueKind.Array && document.RootElement.GetArrayLength() > 0
            ? document.RootElement[0].GetRawText()
            : document.RootElement.GetRawText();
    }

    public void BeginStreams() => _streams = new CancellationTokenSource();

    public void EndStreams() => _streams.Cancel();

    /// <summary>Ends the streams of results that are open, as a service that is being stopped does; new ones go on.</summary>
    public void CutResults()
    {
        using var cut = Interlocked.Exchange(ref _results, new CancellationTokenSource());
        cut.Cancel();
    }

    /// <summary>Completes when so many calls have been accepted.</summary>
    public Task AcceptedAsync(int calls)
    {
        lock (_gate)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((calls, reached));
            TellAccepted();
            return reached.Task;
        }
    }

    /// <summary>Publishes the results of what was submitted while <see cref="Holding"/>.</summary>
    public void Release()
    {
        lock (_gate)
        {
            Holding = false;
            foreach (var (request, tasks) in _held)
                Publish(request, tasks);
            _held.Clear();
        }
    }

    public void Dispose()
    {
        _streams.Dispose();
        _results.Dispose();
    }

    public FunctionInfo AddFunction(string entry, Func<string, (TaskOutcome, string)>? behaviour = null)
    {
        var function = new FunctionInfo
        {
            FunctionId = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(entry))),
            Kind = FunctionKind.Python,
            Name = entry,
            Entry = entry,
            Code = ByteString.CopyFromUtf8($"def {entry}(x):\n    return x\n"),
            RegisteredAt = 1_700_000_000_000_000,
        };
        lock (_gate)
            Functions.Add(function);
        if (behaviour is not null)
            Behaviours[entry] = behaviour;
        return function;
    }

    public EndpointInfo AddEndpoint(string name)
    {
        var endpoint = new EndpointInfo
        {
            EndpointId = $"ep-{name}",
            Name = name,
            Description = "for tests",
            Online = true,
            LastSeen = 1_700_000_000_000_000,
            RegisteredAt = 1_700_000_000_000_000,
            Version = "0.1.0",
            Status = new EndpointStatus { BlocksRunning = 1, Managers = 1, Workers = 2 },
        };
        lock (_gate)
            Endpoints.Add(endpoint);
        return endpoint;
    }

    public Status Submit(SubmitRequest request, out bool already)
    {
        already = false;
        if (Refusal?.Invoke(request) is { StatusCode: not StatusCode.OK } refused)
            return refused;
        lock (_gate)
        {
            if (!Forgetting)
                Submissions.Add(request.Clone());
            var content = request.ToByteArray();
            var key = Convert.ToHexStringLower(request.BatchId.Span);
            if (_batches.TryGetValue(key, out var known))
            {
                already = true;
                DuplicateSubmissions++;
                return known.Content.AsSpan().SequenceEqual(content) ? Status.DefaultSuccess : new Status(StatusCode.AlreadyExists, $"batch {key} has other content");
            }

            var function = Functions.Find(candidate => candidate.FunctionId == request.FunctionId);
            if (function is null)
                return new Status(StatusCode.NotFound, $"no function {request.FunctionId}");
            if (!Endpoints.Exists(candidate => candidate.EndpointId == request.EndpointId))
                return new Status(StatusCode.NotFound, $"no endpoint {request.EndpointId}");
            Label(request.Group, request.Labels, []);
            var tasks = Run(request, function, key);
            if (!Forgetting)
                _batches.Add(key, (content, tasks));
            if (Holding)
                _held.Add((request, tasks));
            else
                Publish(request, tasks);
            _calls += tasks.Length;
            TellAccepted();
            return Status.DefaultSuccess;
        }
    }

    public void Label(string group, IEnumerable<KeyValuePair<string, string>> set, IEnumerable<string> remove)
    {
        lock (_gate)
        {
            if (!_labels.TryGetValue(group, out var labels))
                _labels.Add(group, labels = []);
            foreach (var (key, value) in set)
                labels[key] = value;
            foreach (var key in remove)
                labels.Remove(key);
        }
    }

    public Dictionary<string, string> LabelsOf(string group)
    {
        lock (_gate)
            return new(_labels.GetValueOrDefault(group, []));
    }

    public TaskInfo? Find(string id)
    {
        lock (_gate)
            return TaskId.TryParse(id, out var task) && _batches.TryGetValue(task.Batch.ToString(), out var batch) && task.Index < batch.Tasks.Length ? batch.Tasks[task.Index] : null;
    }

    public List<TaskInfo> Group(string group)
    {
        lock (_gate)
            return [.. _batches.Values.SelectMany(batch => batch.Tasks).Where(task => group.Length == 0 || task.Group == group)];
    }

    /// <summary>Messages of a group after a cursor, and a task that completes when there may be more.</summary>
    public (List<ResultChunk> Chunks, Task More) Read(string group, ulong cursor)
    {
        lock (_gate)
        {
            if (Forgetting && _groups.TryGetValue(group, out var old))
                old.RemoveAll(chunk => chunk.Cursor <= cursor);
            return (_groups.TryGetValue(group, out var chunks) ? chunks.FindAll(chunk => chunk.Cursor > cursor) : [], _news.Task);
        }
    }

    private void TellAccepted()
    {
        foreach (var (calls, reached) in _awaited)
        {
            if (calls <= _calls)
                reached.TrySetResult();
        }
    }

    private TaskInfo[] Run(SubmitRequest request, FunctionInfo function, string key)
    {
        var tasks = new TaskInfo[request.Lengths.Count];
        var at = 0;
        for (var index = 0; index < tasks.Length; index++)
        {
            var length = (int)request.Lengths[index];
            var arguments = Encoding.UTF8.GetString(request.Bodies.Span.Slice(at, length));
            at += length;
            var (outcome, value) = Behaviours.TryGetValue(function.Entry, out var behaviour) ? behaviour(arguments) : (TaskOutcome.Value, Value(arguments));
            tasks[index] = new TaskInfo
            {
                TaskId = $"{key}-{index}",
                FunctionId = request.FunctionId,
                EndpointId = request.EndpointId,
                Group = request.Group,
                State = Holding ? TaskState.Queued : TaskState.Done,
                Outcome = (Outcome)(int)outcome,
                Attempts = 1,
                MaxAttempts = 3,
                ContentType = (uint)ContentType.Json,
                Value = ByteString.CopyFromUtf8(value),
                Stdout = ByteString.CopyFromUtf8(Output),
                Times = new HopTimes
                {
                    ClientSent = 1_000_000, ServiceAccepted = 1_000_150, ServiceCommitted = 1_000_400, ServiceSent = 1_000_420, EndpointReceived = 1_000_390,
                    EndpointSent = 1_000_400, ManagerReceived = 1_000_500, WorkerStarted = 1_000_520, WorkerEnded = 3_500_520, EndpointBack = 3_500_600,
                    ServiceBack = 3_500_700, ResultCommitted = 3_500_900,
                },
            };
        }

        return tasks;
    }

    private void Publish(SubmitRequest request, TaskInfo[] tasks)
    {
        if (!_groups.TryGetValue(request.Group, out var chunks))
            _groups.Add(request.Group, chunks = []);
        var order = Enumerable.Range(0, tasks.Length);
        foreach (var task in tasks)
            task.State = TaskState.Done;
        foreach (var part in (Backwards ? order.Reverse() : order).Chunk(ChunkSize))
            chunks.Add(Chunk(request.BatchId, part, tasks));
        var news = _news;
        _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        news.SetResult();
    }

    private ResultChunk Chunk(ByteString batch, int[] part, TaskInfo[] tasks)
    {
        var chunk = new ResultChunk { Cursor = _cursor += 7, BatchIds = batch, BaseTime = 1_000_520 };
        chunk.ContentTypes.Add((uint)ContentType.Json);
        var bodies = new List<byte>();
        foreach (var index in part)
        {
            chunk.Index.Add((uint)index);
            chunk.Lengths.Add((uint)tasks[index].Value.Length);
            bodies.AddRange(tasks[index].Value.Span);
            chunk.Started.Add(0);
            chunk.Ran.Add(5);
        }

        if (part.Any(index => tasks[index].Outcome != Outcome.Value))
            chunk.Outcomes.AddRange(part.Select(index => (uint)tasks[index].Outcome));
        if (Output.Length > 0)
        {
            foreach (var index in part)
            {
                chunk.StdoutLengths.Add((uint)tasks[index].Stdout.Length);
                chunk.StderrLengths.Add(0);
                bodies.AddRange(tasks[index].Stdout.Span);
            }
        }

        chunk.Bodies = ByteString.CopyFrom([.. bodies]);
        return chunk;
    }
}
