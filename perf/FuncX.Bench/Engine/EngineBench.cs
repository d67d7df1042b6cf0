using System.Globalization;

namespace FuncX.Bench.Engine;

/// <summary>Endpoint, manager and workers without the service: the bench plays it over the real link.</summary>
internal sealed class EngineBench : IBench
{
    public string Name => "engine";

    public string Needs => "2,000,000 Python no-ops through endpoint, TLS, manager and workers; the bench plays the service; python3";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        await using var system = await PlayedSystem.StartAsync(new EndpointOptions { Name = "engine", WorkersPerNode = settings.Workers }, managers: 1);
        await Processes.DescribeAsync(null, system.Endpoint, report);
        await MeasureAsync(settings, report, system.Endpoint, system.Link);
    }

    private static async Task MeasureAsync(BenchSettings settings, Report report, EndpointProcess endpoint, PlayedLink link)
    {
        var tasks = settings.TasksOr(2_000_000, 20_000);
        // A whole one is the warm-up: until then the runtime compiles.
        await link.RunAsync(tasks, 0);
        List<double> rates = [], costs = [];
        var last = "";
        for (var run = 1; run <= settings.RunsOr(3); run++)
        {
            var before = Processes.Cpu(null, endpoint);
            var rate = await link.RunAsync(tasks, 0);
            (var cost, last) = Processes.PerTask(before, Processes.Cpu(null, endpoint), tasks);
            rates.Add(rate);
            costs.Add(cost);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"run {run}: {tasks:#,0} tasks, {rate:#,0}/s, {cost:0.00} us of processor each ({last})"));
        }

        report.Figure("tasks_per_s", Median.Of(rates));
        report.Figure("cpu_us_per_task", Median.Of(costs));
        report.Note($"CPU us per task by process, last run: {last}");
        if (await Processes.StatusAsync(endpoint, "dispatch", "prefetch") is { } prefetch)
            report.Note(string.Create(CultureInfo.InvariantCulture, $"prefetch it settled on: {prefetch:0} tasks per worker"));

        var large = Math.Max(1_000, tasks / 10);
        await link.RunAsync(large, 1024);
        var before1K = await CountersAsync(endpoint, "hops");
        var before1KManager = await ManagerCountersAsync(endpoint);
        await link.RunAsync(large, 1024);
        var (allocated, copies, copiesOfBoth) = (await CountersAsync(endpoint, "hops")).Since(before1K, large);
        var (managerAllocated, managerCopies, managerCopiesOfBoth) = (await ManagerCountersAsync(endpoint)).Since(before1KManager, large);
        report.Figure("allocated_bytes_per_task", Math.Max(allocated, managerAllocated));
        report.Figure("copies_per_task", Math.Max(copies, managerCopies));
        report.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"allocation and copies: the processes' own counters over {large:#,0} tasks with 1 KiB bodies both ways, the larger is the figure: endpoint {allocated:0} B, {copies:0.000}; manager {managerAllocated:0} B, {managerCopies:0.000}"));
        report.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"copies are of a body (bytes copied over bytes received, of arguments and of values); of both bodies of a task together endpoint {copiesOfBoth:0.00}, manager {managerCopiesOfBoth:0.00}"));
    }

    private static async Task<HopCost> CountersAsync(EndpointProcess endpoint, string process)
    {
        double[] numbers = new double[4];
        string[] names = ["bytes_allocated", "bytes_copied", "task_bytes_received", "result_bytes_received"];
        for (var i = 0; i < names.Length; i++)
            numbers[i] = await Processes.StatusAsync(endpoint, "dispatch", process, names[i]) ?? double.NaN;
        return new HopCost(numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    // A manager tells its counters about once a second: wait until they say that it has passed on all that it was given.
    private static async Task<HopCost> ManagerCountersAsync(EndpointProcess endpoint)
    {
        var all = await Processes.StatusAsync(endpoint, "dispatch", "hops", "results_received");
        await Eventually.TrueAsync(
            async () => await Processes.StatusAsync(endpoint, "dispatch", "manager_hops", "results_from_workers") == all,
            "the manager has told its counters");
        return await CountersAsync(endpoint, "manager_hops");
    }
}
