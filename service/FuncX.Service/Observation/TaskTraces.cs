using System.Buffers.Binary;
using System.Diagnostics;
using System.Threading.Channels;
using FuncX.Configuration;
using FuncX.Service.Hosting;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Wire;
using Microsoft.Data.Sqlite;
using OpenTelemetry.Trace;

namespace FuncX.Service.Observation;

/// <summary>
/// Makes one trace of each sampled task once its outcome is committed, from the time of each hop that the outcome brought along: no hop does anything for it. The trace's
/// id is the task's, the index as eight hexadecimal digits behind the batch. Tasks that come faster than they can be sent are left out and counted.
/// </summary>
public sealed partial class TaskTraces : BackgroundService
{
    private const int MostWaiting = 4_096;
    private const string Client = "FuncX.Client";
    private const string Service = "FuncX.Service";
    private const string Endpoint = "FuncX.Endpoint";
    private const string Manager = "FuncX.Manager";
    private const string Worker = "FuncX.Worker";

    private readonly ActivitySource _client = new(Client, ProtocolVersion.Product);
    private readonly ActivitySource _service = new(Service, ProtocolVersion.Product);
    private readonly ActivitySource _endpoint = new(Endpoint, ProtocolVersion.Product);
    private readonly ActivitySource _manager = new(Manager, ProtocolVersion.Product);
    private readonly ActivitySource _worker = new(Worker, ProtocolVersion.Product);
    private readonly Channel<TracedTask> _ended = Channel.CreateBounded<TracedTask>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly TraceSampler _sampler;
    private readonly TracerProvider _provider;
    private readonly TaskStore _store;
    private readonly EndpointCatalog _endpoints;
    private readonly FunctionCatalog _functions;
    private readonly ILogger<TaskTraces> _log;
    private long _made;
    private long _leftOut;

    /// <exception cref="FuncX.Telemetry.TelemetryException">The receiver's headers cannot be read.</exception>
    public TaskTraces(ServiceSettings settings, TaskStore store, EndpointCatalog endpoints, FunctionCatalog functions, ILogger<TaskTraces> log)
    {
        _store = store;
        _endpoints = endpoints;
        _functions = functions;
        _log = log;
        _sampler = new TraceSampler(settings.Telemetry.Traces);
        _provider = Telemetry.Pipelines.Traces(settings.Telemetry, ServiceMetrics.Program, ProtocolVersion.Product, ServiceMetrics.Instance(settings), [Client, Service, Endpoint, Manager, Worker]);
    }

    /// <summary>Traces made since the start.</summary>
    public long Made => Volatile.Read(ref _made);

    /// <summary>Sampled tasks without one, since too many waited.</summary>
    public long LeftOut => Volatile.Read(ref _leftOut);

    public bool Takes(BatchId batch, int index) => _sampler.Takes(batch, index);

    /// <summary>Takes a task whose outcome is durable. Never waits.</summary>
    public void Post(in TracedTask task)
    {
        if (!_ended.Writer.TryWrite(task))
            Interlocked.Increment(ref _leftOut);
    }

    public override void Dispose()
    {
        _provider.Dispose();
        _client.Dispose();
        _service.Dispose();
        _endpoint.Dispose();
        _manager.Dispose();
        _worker.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var task in _ended.Reader.ReadAllAsync(stoppingToken))
                Make(task);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What has ended until now is sent by the provider's disposal.
            while (_ended.Reader.TryRead(out var task))
                Make(task);
        }
    }

    /// <summary>The trace of a task: the batch's 12 bytes, then the index, big endian, so that it reads like the task's id.</summary>
    public static ActivityTraceId TraceIdOf(TaskId task)
    {
        Span<byte> id = stackalloc byte[TaskId.Size];
        task.Batch.Write(id);
        BinaryPrimitives.WriteUInt32BigEndian(id[BatchId.Size..], task.Index);
        return ActivityTraceId.CreateFromBytes(id);
    }

    private void Make(in TracedTask task)
    {
        var (sent, accepted) = Submitted(task);
        var result = task.Result;
        var trace = new ActivityContext(TraceIdOf(task.Task), default, ActivityTraceFlags.Recorded);
        var first = sent > 0 ? sent : accepted > 0 ? accepted : task.ServiceCommitted;
        using var whole = Span(_service, "task", ActivityKind.Internal, trace, first, task.ResultCommitted);
        if (whole is null)
            return;
        Describe(whole, task);
        var inWhole = whole.Context;
        Span(_client, "client submit", ActivityKind.Client, inWhole, sent, accepted)?.Dispose();
        using (var accept = Span(_service, "service accept", ActivityKind.Server, inWhole, accepted, result.Sent > 0 ? result.Sent : task.ServiceCommitted))
        {
            var inAccept = accept?.Context ?? inWhole;
            Span(_service, "service commit", ActivityKind.Internal, inAccept, accepted, task.ServiceCommitted)?.Dispose();
            Span(_service, "service dispatch", ActivityKind.Producer, inAccept, task.ServiceCommitted, result.Sent)?.Dispose();
        }

        using (var endpoint = Span(_endpoint, "endpoint", ActivityKind.Consumer, inWhole, result.EndpointReceived, result.EndpointBack))
        {
            var inEndpoint = endpoint?.Context ?? inWhole;
            Span(_endpoint, "endpoint queue", ActivityKind.Internal, inEndpoint, result.EndpointReceived, result.EndpointSent)?.Dispose();
            using var manager = Span(_manager, "manager", ActivityKind.Consumer, inEndpoint, result.ManagerReceived, result.WorkerEnded);
            Span(_worker, "worker run", ActivityKind.Internal, manager?.Context ?? inEndpoint, result.WorkerStarted, result.WorkerEnded)?.Dispose();
        }

        Span(_service, "service commit result", ActivityKind.Internal, inWhole, result.ServiceBack, task.ResultCommitted)?.Dispose();
        Interlocked.Increment(ref _made);
    }

    private void Describe(Activity whole, in TracedTask task)
    {
        var outcome = task.Result.Outcome;
        whole.SetTag("funcx.task.id", task.Task.ToString());
        whole.SetTag("funcx.task.attempt", (int)task.Result.Attempt);
        whole.SetTag("funcx.task.outcome", SnakeCase.Of(outcome));
        if (outcome != TaskOutcome.Value)
            whole.SetStatus(ActivityStatusCode.Error, SnakeCase.Of(outcome));
        if (_functions.TryGetByNumber(task.Function, out var function))
            whole.SetTag("funcx.function.id", function.FunctionId).SetTag("funcx.function.name", function.Name);
        if (_endpoints.TryGetByNumber(task.Endpoint, out var endpoint))
            whole.SetTag("funcx.endpoint.id", endpoint.EndpointId).SetTag("funcx.endpoint.name", endpoint.Name);
    }

    // Of a batch that was read from a snapshot only the chunk of its submission knows.
    private (long ClientSent, long Accepted) Submitted(in TracedTask task)
    {
        if (task.Accepted > 0)
            return (task.ClientSent, task.Accepted);
        try
        {
            var record = _store.ReadSubmission(task.Submission.Chunk, task.Submission.Offset, task.Submission.Bytes);
            return (record.ClientSent, record.Accepted);
        }
        catch (Exception problem) when (problem is ChunkException or SqliteException or IOException)
        {
            LogUnread(task.Task, problem.Message);
            return (0, 0);
        }
    }

    // A time that is not known makes no span. Clocks of two machines may disagree: a span that would end before it begins is an instant.
    private static Activity? Span(ActivitySource source, string name, ActivityKind kind, ActivityContext parent, long from, long to)
    {
        if (from <= 0 || to <= 0)
            return null;
        var span = source.StartActivity(name, kind, parent, tags: null, links: null, DateTimeOffset.UnixEpoch.AddMicroseconds(from));
        span?.SetEndTime(DateTime.UnixEpoch.AddMicroseconds(Math.Max(from, to)));
        return span;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "the trace of {Task} is without its submission: {Problem}")]
    private partial void LogUnread(TaskId task, string problem);
}
