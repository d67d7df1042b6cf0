using System.Diagnostics;
using System.Diagnostics.Metrics;
using FuncX.Configuration;
using FuncX.Service.Hosting;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Grpc.Core;
using OpenTelemetry.Metrics;

namespace FuncX.Service.Observation;

/// <summary>
/// Every metric of the service. service/README.md lists them as Prometheus names them. Most are read where they are counted anyway, when somebody
/// collects; no label has more values than the program has words for.
/// </summary>
public sealed class ServiceMetrics : IDisposable
{
    public const string Program = "funcx-service";
    public const string MeterName = "FuncX.Service";

    private const int FlushMilliseconds = 5_000;

    private static readonly TaskOutcome[] _outcomes = [.. Enum.GetValues<TaskOutcome>().Where(static outcome => outcome is not (TaskOutcome.None or TaskOutcome.AttemptLost))];

    private readonly Meter _meter = new(MeterName, ProtocolVersion.Product);
    private readonly Histogram<double> _requests;
    private readonly UpDownCounter<long> _streams;
    private readonly MeterProvider _provider;

    public ServiceMetrics(TaskEngine engine, FiguresWatch figures, Registry.EndpointCatalog endpoints, TaskTraces? traces, MeterProvider provider)
    {
        _provider = provider;
        var tally = engine.Tally;
        _meter.CreateObservableCounter("funcx.service.tasks.submitted", () => tally.Submitted, "{task}", "Tasks accepted");
        _meter.CreateObservableCounter("funcx.service.tasks.done", () => _outcomes.Select(outcome => new Measurement<long>(tally.Done(outcome), Tag("outcome", SnakeCase.Of(outcome)))), "{task}", "Tasks ended");
        _meter.CreateObservableCounter("funcx.service.tasks.sent", () => tally.Dispatched, "{task}", "Tasks given to endpoints, again after a loss too");
        _meter.CreateObservableCounter("funcx.service.attempts.lost", () => tally.AttemptsLost, "{attempt}", "Executions lost with their worker, manager or block");
        Gauge("tasks.queued", () => figures.Last.Queued, "{task}", "Tasks that no endpoint has");
        Gauge("tasks.dispatched", () => figures.Last.Dispatched, "{task}", "Tasks at endpoints");
        Gauge("links", () => figures.Last.Links, "{link}", "Links of endpoints that are open");
        Gauge("endpoints.online", () => figures.Last.EndpointsOnline, "{endpoint}", "Endpoints that take tasks");
        Gauge("endpoints.registered", () => endpoints.Count, "{endpoint}", "Endpoints that are not deleted");
        Gauge("blocks", () => figures.Last.Blocks, "{block}", "Blocks that run, of all endpoints online");
        Gauge("managers", () => figures.Last.Managers, "{manager}", "Managers, of all endpoints online");
        Gauge("workers", () => figures.Last.Workers, "{worker}", "Workers, of all endpoints online");
        Gauge("workers.busy", () => figures.Last.WorkersBusy, "{worker}", "Workers that run a task, of all endpoints online");
        Gauge("results.held", () => figures.Last.ResultsHeld, "{result}", "Results that endpoints hold until they are committed here");
        Gauge("spool", () => figures.Last.SpoolBytes, "By", "Results on the endpoints' disks");
        Gauge("data.free", () => new DriveInfo(engine.Store.Directory).AvailableFreeSpace, "By", "Free space of the data directory");
        Gauge("data.used", () => DataBytes(engine.Store), "By", "Size of tasks.db, its log, and the segment files");
        Gauge("submissions.refused", () => engine.StorageProblem is null ? 0 : 1, null, "1 while submissions are refused for want of space");
        if (traces is not null)
        {
            _meter.CreateObservableCounter("funcx.service.traces.made", () => traces.Made, "{trace}", "Tasks that became a trace");
            _meter.CreateObservableCounter("funcx.service.traces.left_out", () => traces.LeftOut, "{trace}", "Sampled tasks without a trace: too many at once");
        }

        var commitSeconds = Seconds("funcx.service.commit.duration", "Time of a group commit", 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3);
        var commitBytes = _meter.CreateHistogram("funcx.service.commit.size", "By", "Bytes of a group commit", advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216] });
        tally.OnCommit = (seconds, bytes) =>
        {
            commitSeconds.Record(seconds);
            commitBytes.Record(bytes);
        };
        _requests = Seconds("funcx.service.request.duration", "Time of a call; of a stream, as long as it was open", 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60, 600);
        _streams = _meter.CreateUpDownCounter<long>("funcx.service.streams.open", "{stream}", "Streams that are open");
    }

    /// <summary>Tells this service from others in what is sent.</summary>
    internal static string Instance(ServiceSettings settings) => $"{Environment.MachineName}:{settings.DataDirectory}";

    internal void Opened(string method) => _streams.Add(1, Tag("method", method));

    internal void Closed(string method) => _streams.Add(-1, Tag("method", method));

    internal void Answered(string method, StatusCode code, TimeSpan took) =>
        _requests.Record(took.TotalSeconds, new TagList { Tag("method", method), Tag("code", code.ToString()) });

    public void Dispose()
    {
        // What was counted last is sent while there is still something to ask.
        _provider.ForceFlush(FlushMilliseconds);
        _meter.Dispose();
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private static long DataBytes(TaskStore store) => new DirectoryInfo(store.Directory)
        .EnumerateFiles("tasks.db*")
        .Concat(new DirectoryInfo(Path.Combine(store.Directory, "segments")) is { Exists: true } segments ? segments.EnumerateFiles() : [])
        .Sum(static file => file.Exists ? file.Length : 0);

    private void Gauge(string name, Func<long> read, string? unit, string description) => _meter.CreateObservableGauge($"funcx.service.{name}", read, unit, description);

    private Histogram<double> Seconds(string name, string description, params double[] bounds) =>
        _meter.CreateHistogram(name, "s", description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
}
