using System.Globalization;
using FuncX.Bench.Throughput;

namespace FuncX.Bench.PythonSdk;

/// <summary>Python no-ops from one CPython program through a durable service and back, in turn with what Python programs use otherwise.</summary>
internal sealed class PythonSdkBench : IBench
{
    public string Name => "python-sdk";

    public string Needs => "a map, single submissions and calls one at a time of one CPython program with sdk/python, through service, endpoint, manager, workers; python3-grpcio, python3-protobuf";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        if (SourceTree.Root is not { } root)
        {
            report.Note("all figures left out: sdk/python of the source tree is not there");
            return;
        }

        await using var cluster = await LocalCluster.StartAsync(new EndpointOptions { WorkersPerNode = settings.Workers });
        await Processes.DescribeAsync(cluster.Service, cluster.Endpoint, report);
        var program = new SdkProgram(cluster, Path.Combine(root, "sdk", "python"));
        if (await program.MissingAsync() is { } missing)
            report.Note($"all figures left out: /usr/bin/python3 cannot import the SDK: {missing}");
        else
            await MeasureAsync(settings, report, cluster, program);
        var left = await cluster.StopAsync();
        if (left.Count > 0)
            throw new InvalidOperationException($"{left.Count} processes are left after a clean stop: {string.Join(", ", left.Select(static entry => entry.Pid))}");
    }

    private static async Task MeasureAsync(BenchSettings settings, Report report, LocalCluster cluster, SdkProgram program)
    {
        var calls = settings.Quick ? 100 : 2_000;
        (string Figure, string What, int Calls, Func<SdkRun, double> Of)[] parts =
        [
            ("map_tasks_per_s", "map", settings.TasksOr(200_000, 5_000), static run => run.PerSecond),
            ("submit_tasks_per_s", "submit", settings.TasksOr(200_000, 5_000) / 4, static run => run.PerSecond),
            ("p50_ms", "single", calls, static run => run.P50),
        ];
        parts = [.. parts.Where(part => settings.Wants(part.Figure))];
        if (parts.Length == 0)
            return;
        var ours = parts.ToDictionary(static part => part.Figure, static _ => new List<SdkRun>(), StringComparer.Ordinal);
        List<PeerRates> pools = [], dasks = [];
        for (var run = 1; run <= settings.RunsOr(3); run++)
        {
            foreach (var (figure, what, count, value) in parts)
            {
                var before = Cpu(cluster);
                var measured = await program.RunAsync(what, count);
                ours[figure].Add(measured);
                var (_, each) = Processes.PerTask(before, Cpu(cluster), count);
                report.Print(string.Create(CultureInfo.InvariantCulture, $"run {run}: {figure} {value(measured):#,0.##}; us of processor per call: {measured.CpuPerCall:0.0} in the program, {each} with the warm-up"));
            }

            if (!settings.Peers)
                continue;
            if (await Peer.AllAsync("process_pool.py", 20_000, settings.Workers, calls / 2) is { } pool)
                pools.Add(pool);
            if (await Peer.AllAsync("dask_noop.py", 3_000, settings.Workers, calls / 10) is { } dask)
                dasks.Add(dask);
        }

        report.Note(ours.Values.First()[0].Versions);
        foreach (var (figure, _, count, value) in parts)
        {
            report.Figure(figure, Median.Of(ours[figure].Select(value)));
            report.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"{figure}: runs {string.Join(", ", ours[figure].Select(run => value(run).ToString("0.##", CultureInfo.InvariantCulture)))} of {count:#,0} calls; {Median.Of(ours[figure].Select(static run => run.CpuPerCall)):0.0} us of processor per call in the program"));
        }

        if (ours.TryGetValue("p50_ms", out var singles))
        {
            report.Figure("p99_ms", Median.Of(singles.Select(static run => run.P99)));
            report.Note($"hops in us, medians, last run: {singles[^1].Hops}");
        }

        if (!settings.Peers)
            return;
        Compare(report, parts.Select(static part => part.Figure), ours, "process_pool", "ProcessPoolExecutor, map with chunksize 1", pools);
        if (dasks.Count > 0)
            Compare(report, parts.Select(static part => part.Figure), ours, "dask", "Dask's client, scheduler.worker-saturation inf", dasks);
        else
            report.Note("vs_dask left out: /usr/bin/python3 cannot import distributed (Debian: python3-distributed)");
    }

    // The client is a program of its own and tells its own.
    private static Dictionary<string, double> Cpu(LocalCluster cluster)
    {
        var seconds = Processes.Cpu(cluster.Service, cluster.Endpoint);
        seconds.Remove("bench");
        return seconds;
    }

    /// <summary>Ratios run by run, since both ran in turn: how many times as fast, with one call at a time too.</summary>
    private static void Compare(Report report, IEnumerable<string> figures, Dictionary<string, List<SdkRun>> ours, string name, string words, List<PeerRates> theirs)
    {
        report.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"{words}, in turn, no service in between: map {Median.Of(theirs.Select(static peer => peer.MapPerSecond)):#,0}/s, submit {Median.Of(theirs.Select(static peer => peer.SubmitPerSecond)):#,0}/s, p50 {Median.Of(theirs.Select(static peer => peer.P50)):0.00} ms"));
        foreach (var figure in figures)
        {
            report.Figure(
                figure switch { "map_tasks_per_s" => $"vs_{name}", "submit_tasks_per_s" => $"submit_vs_{name}", _ => $"single_vs_{name}" },
                Median.Of(ours[figure].Zip(theirs, (run, peer) => figure switch
                {
                    "map_tasks_per_s" => run.PerSecond / peer.MapPerSecond,
                    "submit_tasks_per_s" => run.PerSecond / peer.SubmitPerSecond,
                    _ => peer.P50 / run.P50,
                })));
        }
    }
}
