using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>Up to a million simulated workers behind one endpoint over MPI.</summary>
internal sealed class ScaleBench : IBench
{
    /// <summary>The paper's largest run: so many workers, ten tasks each.</summary>
    private const int PaperWorkers = 131_072;
    private const int PaperTasks = 10 * PaperWorkers;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    public string Name => "scale";

    public string Needs => "1,024 to 1,048,576 simulated workers on 16 ranks, through endpoint, TLS, leader and MPI; mpirun.openmpi or mpiexec.hydra (--launcher)";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        if (settings.Grid || settings.Nodes is not null)
        {
            await ScaleGrid.RunAsync(settings, report);
            return;
        }

        var (few, paper, many) = settings.Quick ? (1_024, 2_048, 4_096) : (1_024, PaperWorkers, 1_048_576);
        if (settings.Wants("seconds_131072_noop") || settings.Wants("seconds_131072_1s"))
            await PaperAsync(settings, report, paper, settings.TasksOr(PaperTasks, 20_000));
        if (settings.Wants("rate_1m_over_1k") || settings.Wants("bytes_per_manager"))
        {
            // The few before and after the many: the machine's speed moves meanwhile.
            var before = await RatesAsync(settings, report, few, settings.TasksOr(PaperTasks, 20_000));
            var between = await RatesAsync(settings, report, many, settings.TasksOr(2 * many, 20_000));
            var after = await RatesAsync(settings, report, few, settings.TasksOr(PaperTasks, 20_000));
            report.Figure("rate_1m_over_1k", Median.Of(between.Rates) / Median.Of([.. before.Rates, .. after.Rates]));
            report.Figure("bytes_per_manager", (between.Bytes - ((before.Bytes + after.Bytes) / 2.0)) / ((many - few) / ScaleShape.WorkersPerManager));
        }

        if (settings.Wants("service_tasks_per_s"))
            report.Figure("service_tasks_per_s", await ServiceRun.MeasureAsync(settings, report, ScaleShape.Local(settings.Launcher, paper), settings.TasksOr(PaperTasks, 20_000)));
    }

    // Rates of no-ops, and the endpoint's memory before any task.
    private static async Task<(IReadOnlyList<double> Rates, long Bytes)> RatesAsync(BenchSettings settings, Report report, int workers, int tasks)
    {
        await using var system = await ScaleSystem.StartAsync(ScaleShape.Local(settings.Launcher, workers));
        // What managers say of themselves at first has come, and a heartbeat or two.
        await Task.Delay(TimeSpan.FromSeconds(settings.Quick ? 1 : 10));
        var bytes = system.EndpointBytes;
        var rates = await NoOpsAsync(report, system, workers, tasks, settings.RunsOr(3));
        var traffic = await system.TrafficAsync();
        report.Note(string.Create(CultureInfo.InvariantCulture, $"{workers:#,0} workers: endpoint {bytes / 1e6:0.0} MB before any task; {traffic}"));
        return (rates, bytes);
    }

    private static async Task PaperAsync(BenchSettings settings, Report report, int workers, int tasks)
    {
        await using var system = await ScaleSystem.StartAsync(ScaleShape.Local(settings.Launcher, workers));
        await Processes.DescribeAsync(null, system.Endpoint, report);
        var rates = await NoOpsAsync(report, system, workers, tasks, settings.RunsOr(3));
        report.Figure("seconds_131072_noop", tasks / Median.Of(rates));
        report.Note($"{system.Shape}: {await system.TrafficAsync()}");
        var seconds = await system.RunAsync(10 * workers, settings.Quick ? 0.1 : 1, s_patience);
        report.Figure("seconds_131072_1s", seconds);
        report.Note(string.Create(CultureInfo.InvariantCulture, $"{10 * workers:#,0} tasks of {(settings.Quick ? "0.1 s" : "a second")} on {workers:#,0} workers: {seconds:0.00} s"));
    }

    // The rates of no-ops; the first run is not counted: until then the runtime compiles.
    private static async Task<IReadOnlyList<double>> NoOpsAsync(Report report, ScaleSystem system, int workers, int tasks, int runs)
    {
        var rates = new List<double>();
        for (var run = 0; run <= runs; run++)
        {
            var before = Processes.Cpu(null, system.Endpoint);
            var seconds = await system.RunAsync(tasks, 0, s_patience);
            var (cost, each) = Processes.PerTask(before, Processes.Cpu(null, system.Endpoint), tasks);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"{workers:#,0} workers, run {run}: {tasks:#,0} no-ops in {seconds:0.00} s, {tasks / seconds:#,0}/s, {cost:0.00} us of processor each ({each})"));
            if (run > 0)
                rates.Add(tasks / seconds);
        }

        return rates;
    }
}
