using System.Diagnostics;
using System.Globalization;
using FuncX.Client;
using FuncX.Contracts.V1;
using FuncX.Wire;
using HdrHistogram;

namespace FuncX.Bench.Latency;

/// <summary>One call at a time, and what a long task does to the short one before it.</summary>
internal sealed class LatencyBench : IBench
{
    private const string NoOp = "def noop(x):\n    return x\n";
    private const string Nap = "import time\ndef nap(seconds, x):\n    if seconds:\n        time.sleep(seconds)\n    return x\n";

    public string Name => "latency";

    public string Needs => "2,000 warm calls one at a time through a durable service, hop by hop; a no-op before a 10-s task; python3";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        await using (var cluster = await LocalCluster.StartAsync(new EndpointOptions { WorkersPerNode = settings.Workers }))
        {
            await Processes.DescribeAsync(cluster.Service, cluster.Endpoint, report);
            await CallsAsync(settings, report, cluster);
            await cluster.StopAsync();
        }

        await using (var cluster = await LocalCluster.StartAsync(new EndpointOptions { WorkersPerNode = 1 }))
        {
            await HeldBackAsync(settings, report, cluster);
            await cluster.StopAsync();
        }
    }

    private static async Task CallsAsync(BenchSettings settings, Report report, LocalCluster cluster)
    {
        var calls = settings.TasksOr(2_000, 200);
        var token = (await File.ReadAllTextAsync(cluster.TokenFile)).Trim();
        var function = new FunctionId(await cluster.Api.RegisterAsync(NoOp, "noop"));
        var endpoint = new EndpointId(cluster.EndpointId);
        await using var client = new FuncXClient(new Uri(cluster.Service.Address), token);
        List<double> medians = [], tails = [];
        var ids = new List<TaskId>();
        for (var run = 0; run <= settings.RunsOr(3); run++)
        {
            var histogram = new LongHistogram(60_000_000, 3);
            // The first run warms up: every process on the way is compiled in tiers.
            var count = run == 0 ? Math.Max(200, calls / 2) : calls;
            ids.Clear();
            for (var i = 0; i < count; i++)
            {
                var begun = Stopwatch.GetTimestamp();
                var handle = await client.SubmitAsync<int, int>(function, endpoint, i);
                var value = await handle;
                histogram.RecordValue((long)Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
                if (value != i)
                    throw new InvalidDataException($"no-op {i} gave {value}");
                ids.Add(handle.Id);
            }

            if (run == 0)
                continue;
            medians.Add(histogram.GetValueAtPercentile(50) / 1000.0);
            tails.Add(histogram.GetValueAtPercentile(99) / 1000.0);
            report.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"run {run}: p50 {medians[^1]:0.000} p90 {histogram.GetValueAtPercentile(90) / 1000.0:0.000} p99 {tails[^1]:0.000} max {histogram.GetMaxValue() / 1000.0:0.000} ms"));
        }

        report.Figure("p50_ms", Median.Of(medians));
        report.Figure("p99_ms", Median.Of(tails));
        await HopsAsync(report, client, ids);
    }

    private static async Task HopsAsync(Report report, FuncXClient client, List<TaskId> ids)
    {
        (string Name, Func<HopTimes, long> From, Func<HopTimes, long> To)[] hops =
        [
            ("client to accept", static t => t.ClientSent, static t => t.ServiceAccepted),
            ("commit", static t => t.ServiceAccepted, static t => t.ServiceCommitted),
            ("to dispatch", static t => t.ServiceCommitted, static t => t.ServiceSent),
            ("to endpoint", static t => t.ServiceSent, static t => t.EndpointReceived),
            ("in endpoint", static t => t.EndpointReceived, static t => t.EndpointSent),
            ("to manager", static t => t.EndpointSent, static t => t.ManagerReceived),
            ("to worker", static t => t.ManagerReceived, static t => t.WorkerStarted),
            ("run", static t => t.WorkerStarted, static t => t.WorkerEnded),
            ("back to endpoint", static t => t.WorkerEnded, static t => t.EndpointBack),
            ("back to service", static t => t.EndpointBack, static t => t.ServiceBack),
            ("commit of result", static t => t.ServiceBack, static t => t.ResultCommitted),
        ];
        var times = new List<HopTimes>();
        foreach (var id in ids.Where(static (_, i) => i % 4 == 0))
            times.Add((await client.Tasks.GetAsync(id)).Times);
        report.Note("hops in us, medians: " + string.Join(", ", hops.Select(hop => string.Create(
            CultureInfo.InvariantCulture, $"{hop.Name} {Median.Of(times.Select(t => (double)(hop.To(t) - hop.From(t)))):0}"))));
    }

    /// <summary>From the end of a no-op on its worker to its result at the client, while a long task runs right behind it on that worker.</summary>
    private static async Task HeldBackAsync(BenchSettings settings, Report report, LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "warm", Enumerable.Range(0, 2_000).Select(static i => $"[0, {i}]")));
        await cluster.Api.WaitAsync("warm", 2_000);
        var held = new List<double>();
        for (var run = 0; run < (settings.Quick ? 2 : 9); run++)
        {
            var group = $"held-{run}";
            const int Short = 20;
            var batch = ServiceApi.NewBatch();
            await cluster.Api.SubmitAsync(ServiceApi.Request(
                function, cluster.EndpointId, group, Enumerable.Range(0, Short).Select(static i => $"[0, {i}]").Append("[10, 99]"), null, batch));
            double last = 0;
            await foreach (var result in cluster.Api.ResultsAsync(group, Short))
            {
                var late = (ServiceApi.NowMicroseconds() - result.Ended) / 1000.0;
                if (result.Outcome != Outcome.Value || result.Text != $"{result.Task.Index}")
                    throw new InvalidDataException($"task {result.Task} ended as {result.Outcome} with {result.Text}");
                if (result.Task.Index == Short - 1)
                    last = late;
            }

            held.Add(last);
            await cluster.Api.Tasks.CancelAsync(new CancelRequest { Group = group }, cluster.Api.Headers);
            await cluster.Api.WaitAsync(group, Short + 1);
        }

        report.Figure("held_back_ms", Median.Of(held));
        report.Note($"held back, each run: {string.Join(", ", held.Select(static ms => ms.ToString("0.0", CultureInfo.InvariantCulture)))} ms");
    }
}
