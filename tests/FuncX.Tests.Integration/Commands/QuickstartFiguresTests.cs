using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>What a quickstart prints of its calls is what happened.</summary>
public sealed partial class QuickstartFiguresTests
{
    [Theory]
    [InlineData(100, 1)]
    [LongData(2_000, 2)]
    public async Task Its_rate_is_its_calls_over_their_time_and_its_workers_are_those_asked_for(int calls, int workers)
    {
        var clock = Stopwatch.StartNew();
        var (figures, output) = await RunAsync(["--calls", $"{calls}", "--workers", $"{workers}"], static _ => Task.CompletedTask);
        var seconds = Number(figures, "seconds");
        (Number(figures, "calls"), Number(figures, "workers")).ShouldBe((calls, workers));
        seconds.ShouldBeInRange(1e-6, clock.Elapsed.TotalSeconds);
        Number(figures, "calls_per_second").ShouldBe(calls / seconds, tolerance: 1e-6 * calls / seconds);
        Number(figures, "latency_p50_ms").ShouldBeInRange(1e-3, Number(figures, "latency_p99_ms"));
        Number(figures, "latency_p99_ms").ShouldBeLessThan(clock.Elapsed.TotalMilliseconds);
        // The line for people has the same numbers, and the sum of the squares 0 to calls - 1.
        var line = Rate().Match(output);
        line.Success.ShouldBeTrue(output);
        line.Groups["calls"].Value.ShouldBe(calls.ToString("N0", CultureInfo.InvariantCulture));
        line.Groups["seconds"].Value.ShouldBe(seconds.ToString("0.00", CultureInfo.InvariantCulture));
        line.Groups["rate"].Value.ShouldBe(Number(figures, "calls_per_second").ToString("N0", CultureInfo.InvariantCulture));
        long last = calls - 1;
        line.Groups["sum"].Value.ShouldBe((last * (last + 1) * ((2 * last) + 1) / 6).ToString(CultureInfo.InvariantCulture));
        output.ShouldContain($"online with {workers} workers of Python ");
    }

    // It compares two rates.
    [LongFact]
    [Trait(Beside.Name, Beside.Nothing)]
    public async Task A_manager_that_stands_still_is_seen_in_the_time_and_in_the_rate()
    {
        const int Calls = 200_000;
        string[] arguments = ["--calls", $"{Calls}"];
        var moving = Number((await RunAsync(arguments, static _ => Task.CompletedTask)).Figures, "seconds");
        var stood = TimeSpan.Zero;
        var (figures, _) = await RunAsync(arguments, async managers =>
        {
            managers.ShouldNotBeEmpty();
            var clock = Stopwatch.StartNew();
            foreach (var manager in managers)
                await SignalAsync("STOP", manager.Pid);
            // Far less than it takes to be thought lost.
            await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
            stood = clock.Elapsed;
            foreach (var manager in managers)
                await SignalAsync("CONT", manager.Pid);
        });
        // The calls begin in the moment after the greeting that the test waits for; and this machine may be faster than a moment ago.
        var least = stood.TotalSeconds - 0.75 + (moving / 2);
        moving.ShouldBeLessThan(least, "calls that nothing stops take so long that a pause is not seen");
        Number(figures, "seconds").ShouldBeGreaterThan(least);
        Number(figures, "calls_per_second").ShouldBeLessThan(Calls / least);
    }

    private static async Task<(JsonElement Figures, string Output)> RunAsync(string[] arguments, Func<IReadOnlyList<ProcessEntry>, Task> greeted)
    {
        var directory = LocalCluster.NewDirectory("quickstart-figures");
        var log = Path.Combine(directory, "quickstart.log");
        await using (var quickstart = Daemon.Start(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart", "--json", .. arguments],
            log,
            new Dictionary<string, string?> { ["TMPDIR"] = directory, ["FUNCX_CONFIG_DIR"] = Path.Combine(directory, "config") }))
        {
            await Eventually.TrueAsync(() => quickstart.Tail.Contains("PrimesUpToAsync(", StringComparison.Ordinal) || quickstart.HasExited, "quickstart has workers", seen: () => quickstart.Tail);
            await greeted(ProcessTable.Managers(directory));
            await quickstart.WaitAsync(TimeSpan.FromMinutes(2));
            quickstart.ExitCode.ShouldBe(0, quickstart.Tail);
        }

        var output = await File.ReadAllTextAsync(log);
        using var figures = JsonDocument.Parse(output.Split('\n').Single(static line => line.StartsWith('{')));
        Directory.Delete(directory, recursive: true);
        return (figures.RootElement.Clone(), output);
    }

    private static double Number(JsonElement figures, string name) => figures.GetProperty(name).GetDouble();

    private static async Task SignalAsync(string signal, int pid)
    {
        using var kill = Process.Start("kill", ["-" + signal, pid.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        kill.ExitCode.ShouldBe(0);
    }

    [GeneratedRegex(@"^square of 0 to [\d,]+: (?<calls>[\d,]+) calls in (?<seconds>\d+\.\d\d) s = (?<rate>[\d,]+) calls/s; every value checked, sum (?<sum>\d+)$", RegexOptions.Multiline)]
    private static partial Regex Rate();
}
