using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>The commands that the README promises.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed partial class QuickstartTests
{
    // For those who have not published the manager, and for nobody else.
    private const string Notice = "funcx-manager is not published ahead of time here";

    private static readonly string[] Hops =
    [
        "client to service", "submission committed", "waits at the service", "service to endpoint", "waits at the endpoint", "endpoint to manager",
        "waits for a worker", "runs", "worker to endpoint", "endpoint to service", "result committed", "in all",
    ];

    [Fact]
    public async Task The_quickstart_runs_ten_thousand_calls_and_leaves_nothing_running()
    {
        var directory = LocalCluster.NewDirectory("quickstart");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Built("sdk/FuncX.Cli", "funcx"), "quickstart"],
            Path.Combine(directory, "quickstart.log"),
            TimeSpan.FromMinutes(2),
            new Dictionary<string, string?>
            {
                ["TMPDIR"] = directory,
                ["FUNCX_CONFIG_DIR"] = Path.Combine(directory, "config"),
                ["FUNCX_MANAGER"] = null,
                ["FUNCX_SERVICE"] = null,
                ["FUNCX_ENDPOINT"] = null,
            });

        exitCode.ShouldBe(0, output);
        Rate().IsMatch(output).ShouldBeTrue(output);
        Latency().IsMatch(output).ShouldBeTrue(output);
        foreach (var hop in Hops)
            Regex.IsMatch(output, $@"^ *{hop} +-?[\d.]+ (us|ms|s) +[a-z, ]+$", RegexOptions.Multiline).ShouldBeTrue($"{hop}: {output}");
        output.ShouldNotContain(Notice, Case.Sensitive, "it is published: dotnet publish endpoint/FuncX.Manager -c Release");
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(directory).Where(static path => Path.GetFileName(path) is not ("quickstart.log" or "config")).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task A_quickstart_without_a_published_manager_says_so_and_takes_the_one_that_was_built()
    {
        var directory = LocalCluster.NewDirectory("quickstart-jit");
        var built = SourceTree.Built("endpoint/FuncX.Manager", "linux-x64/funcx-manager");
        Programs.IsCompiledAheadOfTime(built).ShouldBeFalse(built);
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart", "--calls", "100"],
            Path.Combine(directory, "quickstart.log"),
            TimeSpan.FromMinutes(2),
            new Dictionary<string, string?> { ["TMPDIR"] = directory, ["FUNCX_CONFIG_DIR"] = Path.Combine(directory, "config"), ["FUNCX_MANAGER"] = built });

        exitCode.ShouldBe(0, output);
        output.ShouldContain($"{Notice}; its slower build is used. (To publish: dotnet publish -c Release endpoint/FuncX.Manager)");
        output.ShouldContain("square of 0 to 99: 100 calls in ");
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void The_README_names_both_commands()
    {
        var readme = File.ReadAllText(Path.Combine(SourceTree.Root, "README.md"));
        readme.ShouldContain("dotnet run -c Release --project sdk/FuncX.Cli -- quickstart");
        readme.ShouldContain("tests/run");
    }

    [Theory]
    [LongData("HUP", 130)]
    [LongData("INT", 130)]
    [LongData("TERM", 130)]
    [InlineData("KILL", 137)]
    public async Task However_a_quickstart_ends_it_leaves_nothing_running(string signal, int exitCode)
    {
        var directory = LocalCluster.NewDirectory($"quickstart-{signal}");
        await using var quickstart = Daemon.Start(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart", "--calls", "10000000"],
            Path.Combine(directory, "quickstart.log"),
            new Dictionary<string, string?> { ["TMPDIR"] = directory, ["FUNCX_CONFIG_DIR"] = Path.Combine(directory, "config") });
        await Eventually.TrueAsync(() => quickstart.Tail.Contains("greet(", StringComparison.Ordinal), "quickstart has workers", seen: () => quickstart.Tail);

        await Daemon.RunAsync(["kill", "-" + signal, quickstart.Identity.ToString()], Path.Combine(directory, "quickstart.log"), TimeSpan.FromSeconds(30));
        await quickstart.WaitAsync(TimeSpan.FromSeconds(60));

        quickstart.ExitCode.ShouldBe(exitCode, quickstart.Tail);
        // After a kill it is the guard that cleans up, and it is not waited for.
        await Eventually.TrueAsync(
            () => ProcessTable.Mentioning(directory).Count == 0 && !Directory.EnumerateDirectories(directory, "funcx-quickstart-*").Any(),
            "nothing runs and the directory is gone",
            seen: () => string.Join("; ", ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments))));
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData(false, 0, "Everything is stopped and removed.")]
    [LongData(true, 1, "funcx-service has ended")]
    public async Task A_quickstart_that_keeps_running_can_be_used_until_it_is_ended(bool serviceDies, int exitCode, string said)
    {
        var directory = LocalCluster.NewDirectory("quickstart-keep");
        var log = Path.Combine(directory, "quickstart.log");
        await using var quickstart = Daemon.Start(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart", "--keep", "--calls", "100"], log, new Dictionary<string, string?> { ["TMPDIR"] = directory });
        await Eventually.TrueAsync(() => quickstart.Tail.Contains("funcx endpoint list", StringComparison.Ordinal), "quickstart keeps running", seen: () => quickstart.Tail);

        var config = Exported().Match(quickstart.Tail).Groups[1].Value;
        var (listed, endpoints) = await Daemon.RunAsync(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "endpoint", "list", "--json"], Path.Combine(directory, "list.log"), TimeSpan.FromSeconds(30),
            new Dictionary<string, string?> { ["FUNCX_CONFIG_DIR"] = config });
        listed.ShouldBe(0, endpoints);
        using (var document = JsonDocument.Parse(endpoints))
            document.RootElement[0].GetProperty("online").GetBoolean().ShouldBeTrue(endpoints);
        quickstart.HasExited.ShouldBeFalse();

        if (serviceDies)
            ProcessTable.Mentioning(config).Single(static entry => entry.Arguments[0].EndsWith("funcx-service", StringComparison.Ordinal)).Identity.Kill();
        else
            quickstart.Identity.Terminate();
        await quickstart.WaitAsync(TimeSpan.FromSeconds(60));
        quickstart.ExitCode.ShouldBe(exitCode, quickstart.Tail);
        quickstart.Tail.ShouldContain(said);
        ProcessTable.Mentioning(directory).ShouldBeEmpty();
        Directory.EnumerateDirectories(directory).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Without_python_a_quickstart_shows_the_other_kinds_and_says_what_to_install()
    {
        var directory = LocalCluster.NewDirectory("quickstart-no-python");
        foreach (var program in (string[])["date", "setsid"])
            File.CreateSymbolicLink(Path.Combine(directory, program), $"/usr/bin/{program}");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart", "--calls", "500"],
            Path.Combine(directory, "quickstart.log"),
            TimeSpan.FromMinutes(1),
            new Dictionary<string, string?> { ["TMPDIR"] = directory, ["PATH"] = directory });

        exitCode.ShouldBe(0, output);
        output.ShouldStartWith("Without Python functions: python3 was not found in PATH.");
        output.ShouldContain("apt-get install python3");
        output.ShouldContain("printed \"1973-03-03\"");
        output.ShouldContain("PrimesUpToAsync(1000000) = 78498");
        output.ShouldContain("500 calls in");
        Directory.EnumerateDirectories(directory).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task A_quickstart_for_a_program_prints_its_figures_as_json()
    {
        var directory = LocalCluster.NewDirectory("quickstart-json");
        var log = Path.Combine(directory, "quickstart.log");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart", "--json", "--calls", "100"],
            log,
            TimeSpan.FromMinutes(2),
            new Dictionary<string, string?> { ["TMPDIR"] = directory, ["FUNCX_CONFIG_DIR"] = Path.Combine(directory, "config") });

        exitCode.ShouldBe(0, output);
        // What is said to people goes to standard error, which this log holds too.
        using var figures = JsonDocument.Parse(output.Split('\n').Single(static line => line.StartsWith('{')));
        string.Join(',', figures.RootElement.EnumerateObject().Select(static figure => figure.Name)).ShouldBe("calls,workers,seconds,calls_per_second,latency_p50_ms,latency_p99_ms,hops");
        figures.RootElement.GetProperty("calls").GetInt32().ShouldBe(100);
        figures.RootElement.GetProperty("hops").EnumerateArray().Select(static hop => hop.GetProperty("hop").GetString()).ShouldBe(Hops);
        Directory.Delete(directory, recursive: true);
    }

    [GeneratedRegex(@"^square of 0 to 9,999: 10,000 calls in \d+\.\d\d s = [\d,]+ calls/s; every value checked, sum 333283335000$", RegexOptions.Multiline)]
    private static partial Regex Rate();

    [GeneratedRegex(@"export FUNCX_CONFIG_DIR=(\S+)")]
    private static partial Regex Exported();

    [GeneratedRegex(@"^\d+ calls one at a time: median [\d.]+ (us|ms|s), 99 % within [\d.]+ (us|ms|s)$", RegexOptions.Multiline)]
    private static partial Regex Latency();
}
