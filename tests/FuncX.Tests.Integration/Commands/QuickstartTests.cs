using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>The commands that the README promises.</summary>
public sealed partial class QuickstartTests
{
    [Fact]
    public async Task The_quickstart_runs_ten_thousand_calls_and_leaves_nothing_running()
    {
        var directory = LocalCluster.NewDirectory("quickstart");
        var (exitCode, output) = await Daemon.RunAsync(
            [SourceTree.Program("sdk/FuncX.Cli", "funcx"), "quickstart"],
            Path.Combine(directory, "quickstart.log"),
            TimeSpan.FromMinutes(2),
            new Dictionary<string, string?> { ["TMPDIR"] = directory, ["FUNCX_CONFIG_DIR"] = Path.Combine(directory, "config") });

        exitCode.ShouldBe(0, output);
        TenThousand().IsMatch(output).ShouldBeTrue(output);
        ProcessTable.Mentioning(directory).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(directory).Where(static path => Path.GetFileName(path) is not ("quickstart.log" or "config")).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void The_README_names_both_commands()
    {
        var readme = File.ReadAllText(Path.Combine(SourceTree.Root, "README.md"));
        readme.ShouldContain("dotnet run -c Release --project sdk/FuncX.Cli -- quickstart");
        readme.ShouldContain("tests/run");
    }

    [GeneratedRegex(@"10[ ,.']?000")]
    private static partial Regex TenThousand();
}
