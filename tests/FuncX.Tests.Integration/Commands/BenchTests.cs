using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>Every bench runs and gives its figures; their size is nobody's business here.</summary>
public sealed class BenchTests
{
    [Theory]
    [InlineData("throughput", "tasks_per_s", "cpu_us_per_task", "batch1_unary_per_s", "batch1_stream_per_s", "mb_per_s_1mib")]
    [InlineData("engine", "tasks_per_s")]
    [InlineData("latency", "p50_ms", "p99_ms", "held_back_ms")]
    [InlineData("store", "appends_per_s", "appends_per_s_batch1", "bytes_per_task", "restart_s")]
    public async Task A_quick_bench_gives_its_figures(string bench, params string[] figures)
    {
        var directory = LocalCluster.NewDirectory($"bench-{bench}");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"), bench, "--quick", "--json"],
            Path.Combine(directory, "bench.log"),
            TimeSpan.FromMinutes(3),
            new Dictionary<string, string?> { ["FUNCX_TESTS_DIRECTORY"] = directory });

        exitCode.ShouldBe(0, output);
        using var report = JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]);
        report.RootElement.GetProperty("bench").GetString().ShouldBe(bench);
        foreach (var figure in figures)
            report.RootElement.GetProperty("figures").GetProperty(figure).GetDouble().ShouldBeGreaterThan(0, figure);
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }
}
