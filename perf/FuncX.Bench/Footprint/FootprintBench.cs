using System.Globalization;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Bench.Footprint;

/// <summary>What the processes take while they have nothing to do, or only things to keep; and how soon all workers of a node are there.</summary>
internal sealed class FootprintBench : IBench
{
    private const int BodyBytes = 64;
    private const int PerBatch = 1_000;
    private const double Megabyte = 1e6;
    private const string NoOp = "def noop(x):\n    return x\n";

    // Nobody ends before all have begun, and nobody takes a processor from those that are still on their way: the bench holds the file's lock until then.
    private const string Hold = """
        import fcntl, os
        def hold(x, folder):
            open(os.path.join(folder, str(os.getpid())), "x").close()
            with open(os.path.join(folder, "gate")) as gate:
                fcntl.flock(gate, fcntl.LOCK_SH)
            return [x, os.getpid()]
        """;

    public string Name => "footprint";

    public string Needs => "64 Python workers of one manager: until all are there, the manager's memory, 30 s of nothing to do; a service with 1,000,000 live tasks; python3";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        var workers = settings.Quick ? 4 : 64;
        List<double> ready = [], manager = [], idle = [], service = [];
        for (var run = 1; run <= settings.RunsOr(3); run++)
        {
            await using var cluster = await LocalCluster.StartAsync(new EndpointOptions { WorkersPerNode = workers });
            if (run == 1)
                await Processes.DescribeAsync(cluster.Service, cluster.Endpoint, report);
            ready.Add(await ReadyAsync(cluster, workers));
            await CallsAsync(cluster, settings.TasksOr(100_000, 2_000));
            idle.Add(await IdleAsync(cluster, report, run, TimeSpan.FromSeconds(settings.Quick ? 1 : 30)));
            manager.Add(Manager(cluster, report, run));
            await StopAsync(cluster);
        }

        for (var run = 1; run <= settings.RunsOr(3); run++)
            service.Add(await LiveAsync(report, run, settings.TasksOr(1_000_000, 20_000)));
        report.Figure("manager_mb", Median.Of(manager));
        report.Figure("service_mb", Median.Of(service));
        report.Figure("idle_core_percent", Median.Of(idle));
        report.Figure($"workers{workers}_ready_s", Median.Of(ready));
        report.Note($"workers ready, each run: {string.Join(", ", ready.Select(static seconds => seconds.ToString("0.00", CultureInfo.InvariantCulture)))} s");
    }

    /// <summary>From the submission of as many calls as there are workers, to an endpoint that has none yet, until each has begun in a process of its own.</summary>
    private static async Task<double> ReadyAsync(LocalCluster cluster, int workers)
    {
        var function = await cluster.Api.RegisterAsync(Hold, "hold");
        var folder = Path.Combine(cluster.DirectoryPath, "held");
        Directory.CreateDirectory(folder);
        long sent;
        // Opened for nobody else: the runtime locks the file by flock(2).
        await using (new FileStream(Path.Combine(folder, "gate"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            sent = ServiceApi.NowMicroseconds();
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", Enumerable.Range(0, workers).Select(i => $"[{i}, \"{folder}\"]")));
            await Eventually.TrueAsync(() => Directory.EnumerateFiles(folder).Count() == workers + 1, $"{workers} workers have begun", seen: () => $"{Directory.EnumerateFiles(folder).Count() - 1}");
        }

        var results = await cluster.Api.WaitAsync("held", workers);
        if (cluster.Endpoint.Interpreters().Workers.Count != workers)
            throw new InvalidDataException($"{workers} workers were asked for, {cluster.Endpoint.Interpreters().Workers.Count} are there");
        var pids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (task, result) in results)
        {
            if (result.Outcome != Outcome.Value || !result.Text.StartsWith($"[{task.Index},", StringComparison.Ordinal) || !pids.Add(result.Text.Split(',')[1]))
                throw new InvalidDataException($"task {task} ended as {result.Outcome} with {result.Text}");
        }

        return (results.Values.Max(static result => result.Started) - sent) / 1e6;
    }

    /// <summary>Work for every worker, so that nothing is measured that was never used.</summary>
    private static async Task CallsAsync(LocalCluster cluster, int tasks)
    {
        var function = await cluster.Api.RegisterAsync(NoOp, "noop");
        await cluster.SubmitRangeAsync(function, "calls", tasks);
        long sum = 0;
        foreach (var result in (await cluster.Api.WaitAsync("calls", tasks)).Values)
            sum += result.Outcome == Outcome.Value ? long.Parse(result.Text, CultureInfo.InvariantCulture) : throw new InvalidDataException($"task {result.Task} ended as {result.Outcome}");
        if (sum != (long)tasks * (tasks - 1) / 2)
            throw new InvalidDataException($"{tasks} no-ops gave the sum {sum}");
    }

    /// <summary>The manager and the process that starts its workers for it.</summary>
    private static double Manager(LocalCluster cluster, Report report, int run)
    {
        var manager = cluster.Endpoint.Managers().Single();
        var spawner = ProcessTable.Tree(manager.Pid).Single(static entry => entry.Arguments.Contains("--spawner"));
        var (own, spawning) = (MemoryUse.Of(manager.Pid), MemoryUse.Of(spawner.Pid));
        report.Note($"run {run}: manager {manager.Pid} {own}; its spawner {spawner.Pid} {spawning}");
        return (own.PrivateBytes + spawning.PrivateBytes) / Megabyte;
    }

    /// <summary>Percent of one core that service, endpoint and manager take together while there is nothing to do.</summary>
    private static async Task<double> IdleAsync(LocalCluster cluster, Report report, int run, TimeSpan time)
    {
        var manager = cluster.Endpoint.Managers().Single();
        (string Name, int Pid)[] processes =
        [
            ("service", cluster.Service.Identity.Pid), ("endpoint", cluster.Endpoint.Identity.Pid),
            .. ProcessTable.Tree(manager.Pid).Where(static entry => entry.Arguments.Count > 0 && entry.Arguments[0].EndsWith("funcx-manager", StringComparison.Ordinal)).Select(static entry => ("manager", entry.Pid)),
        ];
        // The runtime goes on compiling what the work before has used, for a minute and longer; a daemon that idles has mostly done so for days.
        await Task.Delay(time * 2);
        var before = processes.Select(static process => ProcessorUse.Of(process.Pid)).ToArray();
        await Task.Delay(time);
        var used = processes.Select((process, i) => (process.Name, Use: ProcessorUse.Of(process.Pid).Since(before[i]))).ToArray();
        report.Note($"run {run}, {time.TotalSeconds:0} s idle: {string.Join("; ", used.Select(one => $"{one.Name} {one.Use.PerSecond(time)}"))}");
        return used.Sum(one => one.Use.Seconds) / time.TotalSeconds * 100;
    }

    /// <summary>A service that has so many tasks to keep, of an endpoint that is never there.</summary>
    private static async Task<double> LiveAsync(Report report, int run, int tasks)
    {
        await using var cluster = await LocalCluster.StartServiceAsync();
        var before = MemoryUse.Of(cluster.Service.Identity.Pid);
        await Store.EchoEndpoint.QueueAsync(cluster, tasks, PerBatch, BodyBytes);
        var held = MemoryUse.Of(cluster.Service.Identity.Pid);
        var live = (await cluster.Api.GroupAsync("echo")).Tasks;
        if (live != tasks)
            throw new InvalidDataException($"{tasks} tasks were accepted, {live} are there");
        report.Note(string.Create(CultureInfo.InvariantCulture, $"run {run}: service {cluster.Service.Identity.Pid} before any task {before}; with {tasks:#,0} live ones of {BodyBytes} B {held}"));
        await cluster.Service.StopAsync();
        return held.PrivateBytes / Megabyte;
    }

    private static async Task StopAsync(LocalCluster cluster)
    {
        var left = await cluster.StopAsync();
        if (left.Count > 0)
            throw new InvalidOperationException($"{left.Count} processes are left after a clean stop: {string.Join(", ", left.Select(static entry => entry.Pid))}");
    }
}
