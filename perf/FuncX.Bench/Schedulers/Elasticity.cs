using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ScottPlot;

namespace FuncX.Bench.Schedulers;

/// <summary>
/// The trace of the funcX paper's figure of elasticity, shortened: bursts of 1, 5 and 20 calls, of 1, 10 and 20 s there and a quarter of that here, from no block to four and back. What is
/// seen of demand, blocks and workers meanwhile is drawn.
/// </summary>
internal sealed class Elasticity(SlurmLab lab)
{
    private const int MostBlocks = 4;
    private const int WorkersPerBlock = 2;
    private const string Nap = "import time\ndef nap(seconds, value):\n    time.sleep(seconds)\n    return value\n";

    private static readonly (int Calls, double Seconds)[] s_bursts = [(1, 0.25), (5, 2.5), (20, 5)];
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = lab.Configuration };
        await using var cluster = await LocalCluster.StartServiceAsync();
        await cluster.AddEndpointAsync(
            new EndpointOptions { Name = "elastic", Provider = "{type: slurm, walltime: 10m, poll_interval: 1s}", Blocks = MostBlocks, BlockIdle = TimeSpan.FromSeconds(2), WorkersPerNode = WorkersPerBlock },
            environment, managers: 0);
        var function = await cluster.Api.RegisterAsync(Nap, "nap");
        var clock = Stopwatch.StartNew();
        var samples = new List<ElasticitySample>();
        using var end = new CancellationTokenSource();
        var watching = WatchAsync(cluster, clock, samples, end.Token);
        var scale = settings.Quick ? 0.2 : 1;
        foreach (var (calls, seconds) in s_bursts)
        {
            var group = string.Create(CultureInfo.InvariantCulture, $"burst-{calls}");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, Enumerable.Range(0, calls).Select(value => string.Create(CultureInfo.InvariantCulture, $"[{seconds * scale}, {value}]"))));
            var values = (await cluster.Api.WaitAsync(group, calls)).Values.Select(static result => int.Parse(result.Text, CultureInfo.InvariantCulture)).Order();
            if (!values.SequenceEqual(Enumerable.Range(0, calls)))
                throw new InvalidDataException($"the {calls} calls of a burst did not come back as they should");
            await Eventually.TrueAsync(async () => (await lab.JobsAsync()).Length == 0, "the blocks of a burst end", TimeSpan.FromMinutes(2));
        }

        await Task.Delay(TimeSpan.FromSeconds(1));
        await end.CancelAsync();
        await watching;
        var left = await cluster.StopAsync();
        if (left.Count > 0)
            throw new InvalidDataException($"{left.Count} processes are left running");
        var (first, most, last) = (samples[0].Blocks, samples.Max(static sample => sample.Blocks), samples[^1].Blocks);
        // The small run's bursts may be over before the last block has come.
        if (first != 0 || last != 0 || most > MostBlocks || (!settings.Quick && most < MostBlocks))
            throw new InvalidDataException($"{first} blocks before the first burst, {most} at most, {last} in the end; it should have been 0, {MostBlocks} and 0");
        report.Figure("elasticity_blocks", most);
        report.Figure("elasticity_workers", samples.Max(static sample => sample.Workers));
        report.Figure("elasticity_block_seconds", samples.Zip(samples.Skip(1), static (sample, next) => sample.Blocks * (next.Seconds - sample.Seconds)).Sum());
        report.Figure("elasticity_work_seconds", s_bursts.Sum(burst => burst.Calls * burst.Seconds * scale) / WorkersPerBlock);
        if (report.Directory is { } folder)
            Save(report, folder, samples);
    }

    private static async Task WatchAsync(LocalCluster cluster, Stopwatch clock, List<ElasticitySample> samples, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            using (var status = await cluster.Endpoint.StatusAsync())
            {
                if (status?.RootElement.GetProperty("dispatch") is { } dispatch)
                    samples.Add(new ElasticitySample(clock.Elapsed.TotalSeconds, Number(dispatch, "queued") + Number(dispatch, "running"), Number(dispatch, "blocks_running"), Number(dispatch, "workers")));
            }

            await Task.Delay(s_look, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        static int Number(JsonElement dispatch, string name) => dispatch.GetProperty(name).GetInt32();
    }

    private static void Save(Report report, string folder, List<ElasticitySample> samples)
    {
        var path = Path.Combine(folder, "elasticity");
        File.WriteAllLines(path + ".csv", ["seconds,demand,blocks,workers", .. samples.Select(static sample => string.Create(CultureInfo.InvariantCulture, $"{sample.Seconds:0.000},{sample.Demand},{sample.Blocks},{sample.Workers}"))]);
        using var plot = new Plot();
        Draw(plot, samples, static sample => sample.Demand, "tasks that wait or run");
        Draw(plot, samples, static sample => sample.Workers, "workers");
        Draw(plot, samples, static sample => sample.Blocks, "blocks");
        plot.XLabel("seconds");
        plot.Title($"Bursts of {string.Join(", ", s_bursts.Select(static burst => string.Create(CultureInfo.InvariantCulture, $"{burst.Calls} x {burst.Seconds} s")))}; at most {MostBlocks} blocks of {WorkersPerBlock} workers, idle for 2 s");
        plot.ShowLegend(Alignment.UpperLeft);
        plot.SavePng(path + ".png", 1000, 500);
        report.Note($"drawn in {Path.GetFileName(path)}.png, from {Path.GetFileName(path)}.csv");
    }

    private static void Draw(Plot plot, List<ElasticitySample> samples, Func<ElasticitySample, int> value, string name)
    {
        var line = plot.Add.ScatterLine(samples.ConvertAll(static sample => sample.Seconds), samples.ConvertAll(sample => (double)value(sample)));
        line.ConnectStyle = ConnectStyle.StepHorizontal;
        line.LineWidth = 2;
        line.LegendText = name;
    }
}

/// <summary>What was to be seen at one moment.</summary>
internal sealed record ElasticitySample(double Seconds, int Demand, int Blocks, int Workers);
