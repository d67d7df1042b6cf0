using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>The benches run and give every figure that is promised of them; their size is nobody's business here.</summary>
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

    [Fact]
    public async Task All_benches_together_give_every_figure_within_three_minutes()
    {
        Assert.SkipUnless(Scenario.Full, "takes most of a minute: tests/run --full");
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
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    private static List<string> Figures(JsonElement report) =>
    [
        .. report.GetProperty("figures").EnumerateObject()
            .Where(static figure => figure.Value.GetDouble() >= 0)
            .Select(static figure => figure.Name),
    ];
}
