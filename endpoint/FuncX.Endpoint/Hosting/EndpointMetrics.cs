using System.Diagnostics.Metrics;
using FuncX.Configuration;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace FuncX.Endpoint.Hosting;

/// <summary>
/// Every metric of the endpoint; endpoint/README.md lists them as Prometheus names them. All are read where they are counted anyway, when somebody collects; what the loop
/// owns is a second old at most.
/// </summary>
public sealed class EndpointMetrics : IDisposable
{
    public const string Program = "funcx-endpoint";
    public const string MeterName = "FuncX.Endpoint";

    private const int FlushMilliseconds = 5_000;

    private static readonly TaskOutcome[] s_outcomes = [.. Enum.GetValues<TaskOutcome>().Where(static outcome => outcome is not (TaskOutcome.None or TaskOutcome.AttemptLost or TaskOutcome.Lost))];

    private readonly Meter _meter = new(MeterName, ProtocolVersion.Product);
    private readonly MeterProvider _provider;

    public EndpointMetrics(Dispatcher dispatcher, HopCounter hops, MeterProvider provider)
    {
        _provider = provider;
        Counter("tasks.received", () => hops.TasksReceived, "{task}", "Tasks from the service");
        Counter("tasks.sent", () => hops.TasksSent, "{task}", "Tasks to managers, again after they were taken back too");
        Counter("tasks.size", () => hops.TaskBytesReceived, "By", "Bytes of tasks from the service");
        _meter.CreateObservableCounter("funcx.endpoint.results", () => s_outcomes.Select(outcome => new Measurement<long>(hops.Ends(outcome), new KeyValuePair<string, object?>("outcome", SnakeCase.Of(outcome)))),
            "{result}", "Results for the service");
        Counter("results.size", () => hops.ResultBytesReceived, "By", "Bytes of results from managers");
        Counter("results.committed", () => hops.ResultsCommitted, "{result}", "Results that the service has committed");
        Counter("attempts.lost", () => hops.Ends(TaskOutcome.AttemptLost), "{attempt}", "Executions lost with their worker, manager or block");
        Gauge("online", now => now.Online ? 1 : 0, null, "1 while the link to the service stands");
        Gauge("tasks.queued", now => now.Queued, "{task}", "Tasks that no manager has");
        Gauge("tasks.running", now => now.Running, "{task}", "Tasks at managers");
        Gauge("blocks.requested", now => now.BlocksRequested, "{block}", "Blocks asked for that do not run yet");
        Gauge("blocks.running", now => now.BlocksRunning, "{block}", "Blocks that run");
        Gauge("managers", now => now.Managers, "{manager}", "Managers that are connected");
        Gauge("workers", now => now.Workers, "{worker}", "Workers of these managers");
        Gauge("workers.busy", now => now.WorkersBusy, "{worker}", "Workers that run a task");
        Gauge("workers.idle", now => now.Workers - now.WorkersBusy, "{worker}", "Workers that wait for one");
        Gauge("results.held", now => now.ResultsHeld, "{result}", "Results in memory that the service has not committed");
        Gauge("results.held.size", now => now.ResultsHeldBytes, "By", "Their bytes");
        Gauge("spool", now => now.SpoolBytes, "By", "Results on disk until the service has them");

        void Counter(string name, Func<long> read, string unit, string description) => _meter.CreateObservableCounter($"funcx.endpoint.{name}", read, unit, description);

        void Gauge(string name, Func<EndpointSnapshot, long> read, string? unit, string description) =>
            _meter.CreateObservableGauge($"funcx.endpoint.{name}", () => read(dispatcher.Snapshot), unit, description);
    }

    public void Dispose()
    {
        // What was counted last is sent while there is still something to ask.
        _provider.ForceFlush(FlushMilliseconds);
        _meter.Dispose();
    }
}
