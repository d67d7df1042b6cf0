using System.Diagnostics;
using System.Globalization;
using FuncX.Client;

namespace FuncX.Bench.Throughput;

/// <summary>Python no-ops from a .NET client through a durable service and back.</summary>
internal sealed class ThroughputBench : IBench
{
    private const int InFlight = 256;
    private const string NoOp = "def noop(x):\n    return x\n";

    public string Name => "throughput";

    public string Needs => "1,000,000 Python no-ops through service, endpoint, manager, workers; each its own call; 1 MiB arguments; python3";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        if (settings.Kind != "python")
        {
            await KindThroughput.RunAsync(settings, report);
            return;
        }

        await using var cluster = await LocalCluster.StartServiceWithAsync(settings.Watched ? Watcher.ServiceYaml : "");
        await cluster.AddEndpointAsync(new EndpointOptions { WorkersPerNode = settings.Workers, MoreYaml = settings.Watched ? Watcher.EndpointYaml : "" });
        await using var watcher = settings.Watched ? new Watcher(cluster) : null;
        await Processes.DescribeAsync(cluster.Service, cluster.Endpoint, report);
        var token = (await File.ReadAllTextAsync(cluster.TokenFile)).Trim();
        var function = new FunctionId(await cluster.Api.RegisterAsync(NoOp, "noop"));
        var endpoint = new EndpointId(cluster.EndpointId);

        if (settings.Wants("tasks_per_s"))
        {
            await using var client = new FuncXClient(new Uri(cluster.Service.Address), token);
            await MapAsync(client, function, endpoint, settings.TasksOr(100_000, 2_000));
            await BatchesAsync(settings, report, cluster, client, function, endpoint);
        }

        var single = settings.Quick ? 2_000 : 100_000;
        foreach (var (figure, alone) in new[] { ("batch1_unary_per_s", true), ("batch1_stream_per_s", false) })
        {
            if (!settings.Wants(figure))
                continue;
            await using var client = new FuncXClient(new Uri(cluster.Service.Address), token, new FuncXClientOptions { BatchSize = 1, UnarySubmission = alone });
            var before = Processes.Cpu(cluster.Service, cluster.Endpoint);
            var runs = settings.RunsOr(3);
            report.Figure(figure, await SinglesAsync(client, function, endpoint, single, runs));
            var (cost, each) = Processes.PerTask(before, Processes.Cpu(cluster.Service, cluster.Endpoint), single * (runs + 1));
            report.Note(string.Create(CultureInfo.InvariantCulture, $"{figure}: {cost:0.0} us of processor each ({each})"));
        }

        if (settings.Wants("mb_per_s_1mib"))
            report.Figure("mb_per_s_1mib", await LargeArguments.MeasureAsync(report, cluster, settings.Quick ? 16 : 400, settings.RunsOr(3)));
        var left = await cluster.StopAsync();
        if (left.Count > 0)
            throw new InvalidOperationException($"{left.Count} processes are left after a clean stop: {string.Join(", ", left.Select(static entry => entry.Pid))}");
    }

    private static async Task BatchesAsync(
        BenchSettings settings, Report report, LocalCluster cluster, FuncXClient client, FunctionId function, EndpointId endpoint)
    {
        var tasks = settings.TasksOr(1_000_000, 20_000);
        List<double> rates = [], costs = [], pools = [], ratios = [];
        for (var run = 1; run <= settings.RunsOr(3); run++)
        {
            var before = Processes.Cpu(cluster.Service, cluster.Endpoint);
            var rate = await MapAsync(client, function, endpoint, tasks);
            var (cost, each) = Processes.PerTask(before, Processes.Cpu(cluster.Service, cluster.Endpoint), tasks);
            rates.Add(rate);
            costs.Add(cost);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"run {run}: {tasks:#,0} tasks, {rate:#,0}/s, {cost:0.00} us of processor each ({each})"));
            if (settings.Peers && await Peer.ProcessPoolAsync(20_000, settings.Workers) is { } pool)
            {
                pools.Add(pool);
                ratios.Add(rate / pool);
            }

            if (run == settings.RunsOr(3))
                report.Note($"CPU us per task by process, last run: {each}");
        }

        report.Figure("tasks_per_s", Median.Of(rates));
        report.Figure("cpu_us_per_task", Median.Of(costs));
        report.Note(string.Create(CultureInfo.InvariantCulture, $"runs: {string.Join(", ", rates.Select(static rate => rate.ToString("0", CultureInfo.InvariantCulture)))} tasks/s of {tasks:#,0}"));
        if (!settings.Peers)
            return;
        report.Figure("vs_process_pool", Median.Of(ratios));
        report.Note(string.Create(CultureInfo.InvariantCulture, $"ProcessPoolExecutor submitting each, interleaved: {Median.Of(pools):0} tasks/s"));
        if (await Peer.DaskAsync(5_000, settings.Workers) is { } dask)
        {
            // Interleaved as well: ours once more right behind it.
            report.Figure("vs_dask", await MapAsync(client, function, endpoint, tasks) / dask.Tuned);
            report.Note(string.Create(CultureInfo.InvariantCulture, $"Dask distributed {dask.Version}: tuned map {dask.Tuned:0} tasks/s, as shipped {dask.AsShipped:0} tasks/s"));
        }
        else
        {
            report.Note("vs_dask left out: /usr/bin/python3 cannot import distributed (Debian: python3-distributed)");
        }
    }

    /// <summary>Maps 0 .. count-1 and checks that every value came once: by count, sum and a sum of scrambled values.</summary>
    private static async Task<double> MapAsync(FuncXClient client, FunctionId function, EndpointId endpoint, int count)
    {
        long seen = 0, sum = 0;
        ulong scrambled = 0, expected = 0;
        for (var i = 0; i < count; i++)
            expected += Scramble(i);
        var clock = Stopwatch.StartNew();
        await foreach (var value in client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, count), new MapOptions { Ordered = false }))
        {
            seen++;
            sum += value;
            scrambled += Scramble(value);
        }

        var rate = count / clock.Elapsed.TotalSeconds;
        if (seen != count || sum != (long)count * (count - 1) / 2 || scrambled != expected)
            throw new InvalidDataException($"{count} no-ops gave {seen} values with sum {sum}: not the arguments");
        return rate;
    }

    private static ulong Scramble(int value)
    {
        var x = (ulong)value * 0x9E3779B97F4A7C15;
        return x ^ (x >> 29);
    }

    /// <summary>Each call a message of its own, 256 of them unacknowledged; up to the last value.</summary>
    private static async Task<double> SinglesAsync(FuncXClient client, FunctionId function, EndpointId endpoint, int count, int runs)
    {
        var rates = new List<double>();
        for (var run = 0; run <= runs; run++)
        {
            // The first is the warm-up: the runtime is through with compiling what such calls use again some 100,000 calls after the start.
            var handles = new TaskHandle<int>[count];
            var next = -1;
            var clock = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, InFlight).Select(async _ =>
            {
                await Task.Yield();
                for (int i; (i = Interlocked.Increment(ref next)) < count;)
                {
                    handles[i] = await client.SubmitAsync<int, int>(function, endpoint, i);
                    await handles[i].Accepted;
                }
            }));
            for (var i = 0; i < count; i++)
            {
                if (await handles[i] != i)
                    throw new InvalidDataException($"no-op {i} gave {await handles[i]}");
            }

            if (run > 0)
                rates.Add(count / clock.Elapsed.TotalSeconds);
        }

        return Median.Of(rates);
    }
}
