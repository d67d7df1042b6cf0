using System.Diagnostics;
using System.Globalization;
using FuncX.Configuration;
using FuncX.Providers.Batch;

namespace FuncX.Bench.Schedulers;

/// <summary>What an endpoint costs over the scheduler below it: the first task on a new block beside a bare job, reading the state of a thousand jobs, and blocks that follow the demand.</summary>
internal sealed class SchedulersBench : IBench
{
    private const string Started = "import time\ndef started(x):\n    return time.time()\n";

    public string Name => "schedulers";

    public string Needs => "Slurm's daemons from the system's packages, as root, on loopback: some bare jobs beside tasks that each need a new block; status of 1,000 jobs of three schedulers; a trace of bursts";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        if (settings.Wants("parse_ms_1000"))
            Parse(settings, report);
        if (!settings.Wants("start_overhead_s") && !settings.Wants("elasticity_blocks"))
            return;
        if (SlurmLab.Missing is { } missing)
        {
            report.Note($"start_overhead_s and elasticity left out: {missing}");
            return;
        }

        await using var lab = await SlurmLab.StartAsync(SourceTree.Root ?? throw new InvalidOperationException("the bench of schedulers needs the source tree: tests/lib/slurm_lab"), nodes: 4);
        if (settings.Wants("start_overhead_s"))
            await StartAsync(settings, report, lab);
        if (settings.Wants("elasticity_blocks"))
            await new Elasticity(lab).RunAsync(settings, report);
    }

    // Each as its provider asks, on a recording of a real server, made a thousand jobs long.
    private static void Parse(BenchSettings settings, Report report)
    {
        var worst = 0.0;
        foreach (var listing in JobListings.All)
        {
            // The first is compiled.
            Read(listing);
            var times = Enumerable.Range(0, settings.RunsOr(21)).Select(_ => Read(listing)).ToList();
            report.Print(string.Create(CultureInfo.InvariantCulture, $"{listing.Scheduler}: {listing.Command}, {JobListings.Jobs:N0} jobs, {listing.Output.Output.Length / 1024:N0} KiB: {Median.Of(times):0.00} ms"));
            worst = Math.Max(worst, Median.Of(times));
        }

        report.Figure("parse_ms_1000", worst);
    }

    private static double Read(JobListings listing)
    {
        var began = Stopwatch.GetTimestamp();
        var answer = listing.Query.Read(listing.Output);
        var took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        if (answer.Kind != AnswerKind.Answered || answer.Jobs.Count != JobListings.Jobs || answer.Jobs.Values.Any(static job => job.Condition != JobCondition.Running))
            throw new InvalidDataException($"{listing.Scheduler}: {answer.Kind} with {answer.Jobs.Count} jobs: {answer.Message}");
        return took;
    }

    // In turn: a bare job, and a task for which there is no block. The job is as large as the block's, and says when its first command runs.
    private static async Task StartAsync(BenchSettings settings, Report report, SlurmLab lab)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = lab.Configuration };
        await using var cluster = await LocalCluster.StartServiceAsync();
        await cluster.AddEndpointAsync(
            new EndpointOptions { Name = "schedulers", Provider = "{type: slurm, walltime: 10m}", BlockIdle = TimeSpan.FromSeconds(1) }, environment, managers: 0);
        var function = await cluster.Api.RegisterAsync(Started, "started");
        List<double> bare = [], over = [];
        var (_, second) = await BareAsync(lab, cluster.DirectoryPath, "first");
        for (var run = 0; run < settings.RunsOr(5); run++)
        {
            await QuietAsync(lab, second);
            (var took, second) = await BareAsync(lab, cluster.DirectoryPath, string.Create(CultureInfo.InvariantCulture, $"{run}"));
            bare.Add(took);
            await QuietAsync(lab, second);
            var group = string.Create(CultureInfo.InvariantCulture, $"start-{run}");
            var asked = UnixTime();
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, ["[0]"]));
            var result = (await cluster.Api.WaitAsync(group, 1)).Values.Single();
            over.Add(double.Parse(result.Text, CultureInfo.InvariantCulture) - asked);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"a bare job runs {bare[^1]:0.000} s after sbatch was started, a task on a new block {over[^1]:0.000} s after it was submitted"));
        }

        report.Figure("start_overhead_s", Median.Of(over) - Median.Of(bare));
        report.Figure("bare_start_s", Median.Of(bare));
        await IdleAsync(lab);
        await cluster.StopAsync();
    }

    // How long it took until the job's first command, and at what part of a second that was.
    private static async Task<(double Took, double Second)> BareAsync(SlurmLab lab, string folder, string name)
    {
        var (script, answer) = (Path.Combine(folder, "bare.sh"), Path.Combine(folder, $"bare-{name}"));
        await File.WriteAllTextAsync(script, $"#!/bin/bash\n#SBATCH --nodes=1 --ntasks-per-node=1 --cpus-per-task=2 --time=00:10:00 --output=/dev/null\ndate +%s.%N >'{answer}.new'\nmv '{answer}.new' '{answer}'\n");
        var asked = UnixTime();
        await lab.RunAsync("sbatch", "--parsable", script);
        await Eventually.TrueAsync(() => File.Exists(answer), "a bare job runs");
        var started = double.Parse(await File.ReadAllTextAsync(answer), CultureInfo.InvariantCulture);
        return (started - asked, started % 1);
    }

    // slurmctld launches jobs once a second, whoever submits them: bare jobs and tasks come at the same moment of that second, and early enough for both.
    private static async Task QuietAsync(SlurmLab lab, double second)
    {
        await IdleAsync(lab);
        await Task.Delay(TimeSpan.FromSeconds((second + 0.3 - (UnixTime() % 1) + 2) % 1));
    }

    private static Task IdleAsync(SlurmLab lab) => Eventually.TrueAsync(async () => (await lab.JobsAsync()).Length == 0, "no job is left", TimeSpan.FromMinutes(2));

    private static double UnixTime() => (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds;
}
