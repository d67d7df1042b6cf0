using System.Diagnostics;
using System.Text.RegularExpressions;
using FuncX.Configuration;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The scripts of configs/ for an endpoint inside a job: <c>job.yaml</c> is their file. That jobs of them work is shown by the integration tests.</summary>
public sealed partial class JobScriptTests : IDisposable
{
    // What stands in them, by the manual pages of sbatch(1), qsub(1B) of OpenPBS and qsub(1) of Cobalt.
    private static readonly Dictionary<string, string[]> s_options = new(StringComparer.Ordinal)
    {
        ["#SBATCH"] = ["--exclusive", "--job-name", "--no-kill", "--nodes", "--ntasks-per-node", "--output", "--time"],
        ["#PBS"] = ["-N", "-S", "-j", "-l"],
        ["#COBALT"] = ["--jobname", "-n", "-t"],
    };

    private readonly ConfigurationScratch _scratch = new();

    [Fact]
    public void Every_scheduler_has_one() => Directory.EnumerateFiles(ConfigurationScratch.Repository("configs"), "job.*").Select(static file => Path.GetFileName(file))
        .ShouldBe(["job.yaml", "job.slurm", "job.pbs", "job.cobalt"], ignoreOrder: true);

    /// <summary>Cobalt stops looking for directives at the first other line, and starts only what may be executed.</summary>
    [Theory]
    [InlineData("job.slurm", "#SBATCH", "--nodes=2", "--time=01:00:00")]
    [InlineData("job.pbs", "#PBS", "-l select=2:ncpus=32", "-l walltime=01:00:00")]
    [InlineData("job.cobalt", "#COBALT", "-n 8", "-t 60")]
    public async Task A_script_is_bash_and_has_directives_of_the_manual_pages_and_the_walltime_of_its_file(string name, string prefix, string nodes, string walltime)
    {
        var script = ConfigurationScratch.Repository($"configs/{name}");
        var (exitCode, problem) = await RunAsync("/bin/bash", ["-n", script]);
        (exitCode, problem).ShouldBe((0, ""));
        File.GetUnixFileMode(script).HasFlag(UnixFileMode.UserExecute).ShouldBeTrue();
        var lines = await File.ReadAllLinesAsync(script, TestContext.Current.CancellationToken);
        lines[0].ShouldBe("#!/bin/bash");
        var directives = lines.Skip(1).TakeWhile(line => line.StartsWith($"{prefix} ", StringComparison.Ordinal)).Select(line => line[(prefix.Length + 1)..]).ToList();
        lines.Count(line => line.StartsWith(prefix, StringComparison.Ordinal)).ShouldBe(directives.Count);
        directives.Select(static directive => Option().Match(directive).Value).ShouldBeSubsetOf(s_options[prefix]);
        directives.ShouldContain(nodes);
        directives.ShouldContain(walltime);
        var file = ConfigurationScratch.Repository("configs/job.yaml");
        EndpointConfigurationFile.Parse(file, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), static _ => "/home/ann").Value!.Provider.Walltime.ShouldBe(TimeSpan.FromHours(1));
    }

    /// <summary>In its place: the scheduler's signals are for the endpoint.</summary>
    [Theory]
    [InlineData("job.slurm")]
    [InlineData("job.pbs")]
    [InlineData("job.cobalt")]
    public async Task A_script_becomes_the_endpoint_with_the_file_and_the_token_that_it_was_told(string name)
    {
        var program = _scratch.Write("endpoint", "#!/bin/bash\nprintf '%s|' \"$PPID\" \"$PWD\" \"$@\"\n", FileModes.PrivateDirectory);
        var script = ConfigurationScratch.Repository($"configs/{name}");
        // PBS begins elsewhere.
        var (from, submitted) = name == "job.pbs" ? ("/", _scratch.Path) : (_scratch.Path, "/nowhere");
        (await RunAsync("/bin/bash", [script], from, ("FUNCX_ENDPOINT", program), ("PBS_O_WORKDIR", submitted))).ShouldBe((0, $"{Environment.ProcessId}|{_scratch.Path}|start|--config|job.yaml|"));
        (await RunAsync("/bin/bash", [script], from, ("FUNCX_ENDPOINT", program), ("PBS_O_WORKDIR", submitted), ("ENDPOINT_FILE", "/my files/a $(b).yaml"), ("TOKEN_FILE", "/my files/token")))
            .ShouldBe((0, $"{Environment.ProcessId}|{_scratch.Path}|start|--config|/my files/a $(b).yaml|--token-file|/my files/token|"));
    }

    public void Dispose() => _scratch.Dispose();

    private static async Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments, string directory = "/", params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in (string[])["ENDPOINT_FILE", "TOKEN_FILE", "FUNCX_ENDPOINT"])
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }

    [GeneratedRegex("^--?[a-zA-Z-]+")]
    private static partial Regex Option();
}
