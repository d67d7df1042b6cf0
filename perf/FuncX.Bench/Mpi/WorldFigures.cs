using System.Diagnostics;
using System.Globalization;
using FuncX.Bench.Engine;
using FuncX.Bench.Footprint;

namespace FuncX.Bench.Mpi;

/// <summary>What a world of managers costs while nothing goes on, how fast it is there again, and what large results do to tiny ones beside them.</summary>
internal static class WorldFigures
{
    private const int LargeCharacters = 100_000_000;
    private const int AtOnce = 64;

    /// <summary>Under one MPI. NaN: its launcher is not installed.</summary>
    public static async Task<(double IdlePercent, double FirstMs, double BulkRatio)> MeasureAsync(BenchSettings settings, Report report, MpiInstallation mpi)
    {
        if (!mpi.HasLauncher)
        {
            report.Note($"worlds under {mpi.Name} left out: {mpi.Launcher[0]} is missing");
            return (double.NaN, double.NaN, double.NaN);
        }

        var (idle, first) = settings.Wants("idle_percent_per_rank") || settings.Wants("first_after_idle_ms") ? await IdleAsync(settings, report, mpi) : (double.NaN, double.NaN);
        return (idle, first, settings.Wants("bulk_p99_ratio") ? await BulkAsync(settings, report, mpi) : double.NaN);
    }

    private static async Task<(double Percent, double FirstMs)> IdleAsync(BenchSettings settings, Report report, MpiInstallation mpi)
    {
        var ranks = settings.Quick ? 4 : 16;
        var quiet = TimeSpan.FromSeconds(settings.Quick ? 1 : 10);
        await using var world = await WorldAsync(mpi, ranks);
        await Processes.DescribeAsync(null, world.Endpoint, report);
        var calls = await TimedCalls.OnAsync(world.Link);
        // Every rank has started its worker, and what is compiled while it is young has been.
        await calls.TinyAsync(ranks * 200, ranks * 8);
        List<double> percents = [], firsts = [];
        var pids = world.Endpoint.Managers().Where(static entry => entry.Arguments.Contains("--world")).Select(static entry => entry.Pid).ToArray();
        for (var run = 0; run < settings.RunsOr(3); run++)
        {
            await Task.Delay(TimeSpan.FromSeconds(settings.Quick ? 0.2 : 2));
            var before = pids.Select(ProcessorUse.Of).ToArray();
            var clock = Stopwatch.StartNew();
            await Task.Delay(quiet);
            var used = pids.Zip(before, (pid, then) => ProcessorUse.Of(pid).Since(then)).ToArray();
            percents.Add(used.Sum(static use => use.Seconds) / ranks / clock.Elapsed.TotalSeconds * 100);
            firsts.Add((await calls.TinyAsync(1, 1))[0].Milliseconds);
            report.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"{mpi.Name}: {ranks} idle ranks {percents[^1]:0.000} % of a core each, the leader {used[0].PerSecond(clock.Elapsed)}, the busiest {used.Max(static use => use.Seconds) / clock.Elapsed.TotalSeconds * 100:0.000} %; first call after {quiet.TotalSeconds:0} s of it {firsts[^1]:0.0} ms"));
        }

        report.Note(string.Create(CultureInfo.InvariantCulture, $"{mpi.Name}, {ranks} ranks: idle {string.Join(", ", percents.Select(Three))} % of a core per rank; first call after it {string.Join(", ", firsts.Select(One))} ms"));
        return (Median.Of(percents), Median.Of(firsts));
    }

    // One large result after the other as long as the tiny calls last, in turn with runs without any.
    private static async Task<double> BulkAsync(BenchSettings settings, Report report, MpiInstallation mpi)
    {
        var tasks = settings.TasksOr(100_000, 5_000);
        var characters = settings.Quick ? LargeCharacters / 10 : LargeCharacters;
        await using var world = await WorldAsync(mpi, ranks: 4);
        var calls = await TimedCalls.OnAsync(world.Link);
        await calls.TinyAsync(tasks / 2, AtOnce);
        await calls.LargeAsync(characters);
        var ratios = new List<double>();
        for (var run = 0; run < settings.RunsOr(5); run++)
        {
            var without = CallTimes.Quantile(await calls.TinyAsync(tasks, AtOnce), 0.99);
            using var end = new CancellationTokenSource();
            var beside = KeepAsync(calls, characters, end.Token);
            var timed = await calls.TinyAsync(tasks, AtOnce);
            var with = CallTimes.Quantile(timed, 0.99);
            await end.CancelAsync();
            var large = await beside;
            ratios.Add(with / without);
            report.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"{mpi.Name}: p99 of {tasks:#,0} tiny calls, {AtOnce} at once, {without:0.00} ms; beside {large} results of {characters / 1e6:0} MB {with:0.00} ms, {ratios[^1]:0.00} times as long; {CallTimes.Slowest(timed)}"));
        }

        report.Note(string.Create(CultureInfo.InvariantCulture, $"{mpi.Name}, 4 ranks: p99 beside large results over p99 without {string.Join(", ", ratios.Select(Three))}"));
        return Median.Of(ratios);
    }

    private static Task<PlayedSystem> WorldAsync(MpiInstallation mpi, int ranks) => PlayedSystem.StartAsync(
        new EndpointOptions { Name = "mpi", Nodes = ranks, WorkersPerNode = 1, Transport = "mpi", MoreYaml = $"launcher: {{type: {mpi.LauncherType}, ranks_per_world: {ranks}}}" },
        managers: ranks);

    private static async Task<int> KeepAsync(TimedCalls calls, int characters, CancellationToken end)
    {
        var count = 0;
        while (!end.IsCancellationRequested)
        {
            await calls.LargeAsync(characters);
            count++;
        }

        return count;
    }

    private static string One(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);

    private static string Three(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
