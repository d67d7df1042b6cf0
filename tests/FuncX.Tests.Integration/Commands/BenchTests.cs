using System.Globalization;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>The benches run and give every figure that is promised of them; their size is nobody's business here.</summary>
[Trait(Beside.Name, Beside.Nothing)]
public sealed class BenchTests
{
    /// <summary>What is promised without peers (vs_dask, vs_process_pool need other systems).</summary>
    private static readonly Dictionary<string, string[]> Promised = new(StringComparer.Ordinal)
    {
        ["throughput"] = ["tasks_per_s", "cpu_us_per_task", "batch1_unary_per_s", "batch1_stream_per_s", "mb_per_s_1mib"],
        ["engine"] = ["tasks_per_s", "allocated_bytes_per_task", "copies_per_task"],
        ["latency"] = ["p50_ms", "p99_ms", "held_back_ms"],
        ["footprint"] = ["manager_mb", "service_mb", "idle_core_percent", "workers4_ready_s"],
        ["mpi"] = ["idle_percent_per_rank", "first_after_idle_ms", "bulk_p99_ratio"],
        ["scale"] = ["seconds_131072_noop", "seconds_131072_1s", "rate_1m_over_1k", "bytes_per_manager", "service_tasks_per_s"],
        ["broadcast"] = ["source_reads", "seconds", "openmpi_seconds", "mpich_seconds", "copies_seconds"],
        ["schedulers"] = ["parse_ms_1000", "start_overhead_s", "bare_start_s", "elasticity_blocks", "elasticity_workers", "elasticity_block_seconds", "elasticity_work_seconds"],
        ["python-sdk"] = ["map_tasks_per_s", "submit_tasks_per_s", "p50_ms", "p99_ms"],
        ["store"] = ["appends_per_s", "appends_per_s_batch1", "bytes_per_task", "restart_s"],
    };

    [Theory]
    [LongData("command", "commands_per_s", "vs_xargs", "bare_starts_per_s")]
    [LongData("dotnet", "dotnet_calls_per_s", "dotnet_cpu_us_per_call")]
    public async Task Calls_of_the_other_kinds_are_measured_too(string kind, params string[] promised)
    {
        var directory = LocalCluster.NewDirectory("bench-kind");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"), "throughput", "--kind", kind, "--quick", "--json"],
            Path.Combine(directory, "bench.log"),
            TimeSpan.FromMinutes(1),
            new Dictionary<string, string?> { ["FUNCX_TESTS_DIRECTORY"] = directory });

        exitCode.ShouldBe(0, output);
        Figures(JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]).RootElement).ShouldBe(promised, ignoreOrder: true, customMessage: output);
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task A_figure_that_no_bench_has_is_an_error()
    {
        var directory = LocalCluster.NewDirectory("bench-only");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"), "scale", "--only", "speed"], Path.Combine(directory, "bench.log"), TimeSpan.FromMinutes(1));

        exitCode.ShouldBe(1, output);
        output.ShouldContain("--only 'speed': no figure of scale");
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task All_benches_together_give_every_figure_within_three_minutes()
    {
        var directory = LocalCluster.NewDirectory("bench");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"), "all", "--quick", "--json"],
            Path.Combine(directory, "bench.log"),
            TimeSpan.FromMinutes(3),
            new Dictionary<string, string?> { ["FUNCX_TESTS_DIRECTORY"] = directory });

        exitCode.ShouldBe(0, output);
        var given = output.Split('\n')
            .Where(static line => line.StartsWith("{\"bench\"", StringComparison.Ordinal))
            .Select(static line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(static report => report.GetProperty("bench").GetString()!, Figures, StringComparer.Ordinal);
        foreach (var (bench, figures) in Promised)
            figures.ShouldBeSubsetOf(given.GetValueOrDefault(bench, []), $"{bench}:\n{output}");
        output.ShouldContain("(ahead-of-time compiled)");
        // Of scale each: seconds, the few, the many and the few again, and through the service.
        output.Split('\n').Count(static line => line[..Math.Min(1, line.Length)] != "{" && line.Contains(" frames of tasks and results over MPI per rank; 2 connections at the endpoint's port", StringComparison.Ordinal)).ShouldBe(5, output);
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task The_benchmark_of_the_relay_runs_every_case_and_says_what_it_copies()
    {
        var directory = LocalCluster.NewDirectory("microbenchmark");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("perf/FuncX.Microbenchmarks", "FuncX.Microbenchmarks"), "--filter", "*RelayBenchmarks*", "--job", "dry", "--artifacts", directory],
            Path.Combine(directory, "benchmark.log"), TimeSpan.FromMinutes(4));
        exitCode.ShouldBe(0, output);
        // 16 and 128 ranks, tasks one by one and 64 in a row, both ways; a case that did not run has no time.
        var rows = output.Split('\n').Where(static line => line.StartsWith("| TasksDown ", StringComparison.Ordinal) || line.StartsWith("| ResultsUp ", StringComparison.Ordinal)).ToList();
        rows.Count.ShouldBe(8, output);
        rows.ShouldAllBe(static row => row.Split('|', StringSplitOptions.TrimEntries)[4].EndsWith('s'));
        output.ShouldContain(": bytes copied per frame of ");
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task The_trace_of_bursts_takes_all_blocks_and_is_drawn()
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        var directory = LocalCluster.NewDirectory("bench-elasticity");
        var report = await MeasureAsync(directory, TimeSpan.FromMinutes(4), "schedulers", "--only", "elasticity", "--directory", directory);
        (Figure(report, "elasticity_blocks"), Figure(report, "elasticity_workers")).ShouldBe((4, 8));
        // Bursts of 1, 5 and 20 calls of 0.25, 2.5 and 5 s on two workers of a block.
        Figure(report, "elasticity_work_seconds").ShouldBe(56.375);
        Figure(report, "elasticity_block_seconds").ShouldBeGreaterThan(56.375);

        var lines = await File.ReadAllLinesAsync(Path.Combine(directory, "elasticity.csv"));
        lines[0].ShouldBe("seconds,demand,blocks,workers");
        var samples = lines.Skip(1).Select(static line => line.Split(',').Select(static field => double.Parse(field, CultureInfo.InvariantCulture)).ToArray()).ToList();
        samples.Select(static sample => sample[0]).ShouldBeInOrder(SortDirection.Ascending);
        (samples.Max(static sample => sample[1]), samples.Max(static sample => sample[2]), samples.Max(static sample => sample[3])).ShouldBe((20, 4, 8));
        samples[^1][1..].ShouldBe([0, 0, 0]);
        ShouldBePng(Path.Combine(directory, "elasticity.png"));
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task The_grid_gives_each_point_with_what_was_published_and_its_MPI_and_draws_the_curves()
    {
        var directory = LocalCluster.NewDirectory("bench-grid");
        var report = await MeasureAsync(directory, TimeSpan.FromMinutes(3), "scale", "--grid", "--quick", "--directory", directory);
        (Figure(report, "points"), Figure(report, "left_out")).ShouldBe((10, 0));
        // The leader's connection and the agent's, whatever the number of workers.
        var notes = report.GetProperty("notes").EnumerateArray().Select(static note => note.GetString()!).Where(static note => note.Contains("over MPI per rank", StringComparison.Ordinal)).ToList();
        notes.Count.ShouldBe(2);
        notes.ShouldAllBe(static note => note.EndsWith("; 2 connections at the endpoint's port", StringComparison.Ordinal));

        Directory.EnumerateFiles(directory, "scale-*").Select(Path.GetFileName).ShouldBe(["scale-mpirun.csv", "scale-mpirun-strong.png", "scale-mpirun-weak.png"], ignoreOrder: true);
        var lines = (await File.ReadAllLinesAsync(Path.Combine(directory, "scale-mpirun.csv"))).Select(static line => line.Split(',')).ToList();
        lines[0].ShouldBe(["curve", "seconds_per_task", "workers", "tasks", "ideal_s", "seconds", "tasks_per_s", "published_s", "mpi", "note"]);
        lines.Skip(1).Select(static fields => (fields[0], fields[2], fields[7])).ShouldBe(
            [
                ("strong-1s", "64", ""), ("strong-1s", "128", ""), ("strong-noop", "64", "183"), ("strong-noop", "128", ""), ("weak-1min", "64", ""), ("weak-1min", "128", ""),
                ("weak-1s", "64", "10.2"), ("weak-1s", "128", ""), ("weak-noop", "64", ""), ("weak-noop", "128", ""),
            ]);
        lines.Skip(1).ShouldAllBe(static fields => double.Parse(fields[5], CultureInfo.InvariantCulture) > 0 && fields[8].StartsWith("mpirun with Open MPI ", StringComparison.Ordinal) && fields[9].Length == 0);
        ShouldBePng(Path.Combine(directory, "scale-mpirun-strong.png"));
        ShouldBePng(Path.Combine(directory, "scale-mpirun-weak.png"));
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<JsonElement> MeasureAsync(string directory, TimeSpan within, params string[] arguments)
    {
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"), .. arguments, "--json"],
            Path.Combine(directory, "bench.log"),
            within,
            new Dictionary<string, string?> { ["FUNCX_TESTS_DIRECTORY"] = directory });
        exitCode.ShouldBe(0, output);
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        return JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]).RootElement;
    }

    private static double Figure(JsonElement report, string name) => report.GetProperty("figures").GetProperty(name).GetDouble();

    private static void ShouldBePng(string path) => File.ReadAllBytes(path)[..8].ShouldBe((byte[])[0x89, .. "PNG\r\n"u8, 0x1A, (byte)'\n']);

    private static List<string> Figures(JsonElement report) =>
    [
        .. report.GetProperty("figures").EnumerateObject()
            .Where(static figure => figure.Value.GetDouble() >= 0)
            .Select(static figure => figure.Name),
    ];
}
