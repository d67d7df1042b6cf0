using System.Diagnostics;
using System.Text.RegularExpressions;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Providers.Batch;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>
/// The batch script of every file in configs/, whole, and what stands in it against the options of the manual pages; the same of files beside the scripts, which have every key that a scheduler knows
/// (all-*), or TORQUE.
/// </summary>
public sealed partial class EndpointRenderTests : IDisposable
{
    // Options that take a value, by the manual pages of sbatch(1), qsub(1B) of OpenPBS and qsub(1) of Cobalt: what a script of ours may use.
    private static readonly Dictionary<string, string[]> s_options = new(StringComparer.Ordinal)
    {
        ["#SBATCH"] =
        [
            "--account", "--comment", "--constraint", "--cpus-per-task", "--gpus-per-node", "--gres", "--job-name", "--licenses", "--mem", "--nodes", "--ntasks-per-node", "--open-mode", "--output", "--partition", "--qos",
            "--mail-type", "--reservation", "--time", "--exclusive", "--no-kill",
        ],
        ["#PBS"] = ["-A", "-l", "-N", "-q", "-r", "-S"],
        ["#COBALT"] = ["-A", "-n", "-q", "-t", "--attrs", "--jobname", "--preemptable"],
    };

    private readonly ConfigurationScratch _scratch = new();

    public static TheoryData<string> BatchFiles => new(Directory.EnumerateFiles(ConfigurationScratch.Repository("configs"), "*.yaml").Concat(Directory.EnumerateFiles(Golden, "*.yaml"))
        .Select(static file => Path.GetFileNameWithoutExtension(file))
        .Where(static name => Read(name).Provider.Walltime is not null && Read(name).Provider.Type != ProviderKind.Allocation).Order(StringComparer.Ordinal));

    private static string Golden => ConfigurationScratch.Repository("tests/FuncX.Tests.Unit/Golden");

    [Fact]
    public void Every_machine_that_the_README_promises_has_a_file() =>
        Directory.EnumerateFiles(ConfigurationScratch.Repository("configs"), "*.yaml").Select(static file => Path.GetFileNameWithoutExtension(file)).ShouldBe(
            ["laptop", "cloud-vm", "local", "job", "slurm", "pbs", "theta", "cori", "perlmutter", "polaris", "aurora", "frontier", "delta"], ignoreOrder: true);

    [Theory]
    [MemberData(nameof(BatchFiles))]
    public void The_script_of_a_machine_is_the_one_that_was_looked_at(string name)
    {
        var golden = Path.Combine(Golden, $"{name}.sh");
        var script = Script(Read(name));
        if (Environment.GetEnvironmentVariable("FUNCX_TESTS_WRITE_GOLDEN") == "1")
            File.WriteAllText(golden, script);
        script.ShouldBe(File.ReadAllText(golden));
    }

    [Theory]
    [MemberData(nameof(BatchFiles))]
    public async Task The_script_of_a_machine_is_bash_and_has_options_of_the_manual_pages(string name)
    {
        var script = Script(Read(name));
        (await CheckAsync(script)).ShouldBe("");
        var directives = script.Split('\n').Skip(1).TakeWhile(static line => line.StartsWith('#')).Select(static line => line.Split(' ', 2)).ToList();
        directives.Count.ShouldBeGreaterThan(4);
        foreach (var directive in directives)
            s_options[directive[0]].ShouldContain(Option().Match(directive[1]).Value);
    }

    /// <summary>A value that is in no script and in no command never reaches the scheduler.</summary>
    [Theory]
    [InlineData("all-slurm")]
    [InlineData("all-pbs")]
    [InlineData("all-cobalt")]
    public void Every_key_of_a_scheduler_is_in_the_file_that_has_all(string name)
    {
        var text = File.ReadAllText(Path.Combine(Golden, $"{name}.yaml"));
        var kind = Read(name).Provider.Type;
        var keys = EndpointKeys.Of("provider").Where(key => key.With.ContainsKey(kind)).Select(static key => key.Name);
        // A reservation is a queue.
        string[] others = kind == ProviderKind.Slurm ? [] : ["queue"];
        keys.Where(key => !text.Contains($"\n  {key}: ", StringComparison.Ordinal)).ShouldBe(others);
    }

    [Fact]
    public void Variables_of_a_job_of_Cobalt_are_one_argument_in_which_colons_and_equals_signs_are_escaped()
    {
        var configuration = Read("all-cobalt");
        var submit = BatchSchedulers.Of(configuration)!.Submit(new BatchJob(new BlockRequests(configuration, "0123456789", "/opt/funcx/funcx-manager").Of("b1", 1)));
        submit.Arguments.TakeLast(5).ShouldBe(["--env", "GREETING=it's \"two words\":OMP_PLACES={0\\:4},{4\\:4}", "--mode", "script", "/home/ann/.funcx/all/blocks/b1/batch.sh"]);
    }

    [Theory]
    [MemberData(nameof(BatchFiles))]
    public async Task With_MPI_the_script_of_a_machine_starts_one_agent_behind_the_sites_own_lines(string name)
    {
        var machine = Read(name);
        machine = machine with { Transport = TransportKind.Mpi, Provider = machine.Provider with { Init = "module load mpi\nexport SITE='a b'\n" } };
        var script = Script(machine);
        (await CheckAsync(script)).ShouldBe("");
        var commands = script[script.IndexOf("\n\n", StringComparison.Ordinal)..].TrimStart('\n').Split('\n');
        commands[..2].ShouldBe(["module load mpi", "export SITE='a b'"]);
        commands.Where(static line => line.Contains("\"$manager\"", StringComparison.Ordinal)).ShouldHaveSingleItem().ShouldBe(
            $"\"$manager\" --block --rendezvous \"$rendezvous\" --directory \"$block/agent\" --walltime {machine.Provider.Walltime!.Value.TotalSeconds} </dev/null >>\"$block/agent.log\" 2>&1");
    }

    [Theory]
    [InlineData("slurm", "tcp")]
    [InlineData("slurm", "mpi")]
    [InlineData("pbs", "tcp")]
    [InlineData("pbs", "mpi")]
    [InlineData("cobalt", "tcp")]
    [InlineData("cobalt", "mpi")]
    public async Task No_path_or_name_becomes_a_command(string kind, string transport)
    {
        const string Evil = "/tmp/a b'; touch INJECTED; '\"$(touch INJECTED)\"`touch INJECTED`";
        var file = EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: https://x.org\nstate_dir: ${{EVIL}}\ntransport: {transport}\nprovider: {{type: {kind}, walltime: 1h, directives: ['--x $(touch INJECTED); touch INJECTED']}}\nworkers: {{per_node: 1}}",
            static name => name == "EVIL" ? Evil : null);
        file.Errors.ShouldBeEmpty();
        // Where this program is installed no file says: of all paths in a script that one alone may have a line break.
        var script = Script(file.Value!, $"{Evil}\ntouch INJECTED\n");
        script.ShouldContain("touch INJECTED");
        // The commands alone are run, with nothing of a job around them: they find no launcher and no manager, and whatever else they find would be an injection.
        using var bash = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", script]) { UseShellExecute = false, WorkingDirectory = _scratch.Path, RedirectStandardError = true, RedirectStandardOutput = true, Environment = { ["PATH"] = "/usr/bin:/bin" } })!;
        await bash.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await bash.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.Exists(Path.Combine(_scratch.Path, "INJECTED")).ShouldBeFalse();
    }

    /// <summary>Whether it is written out or comes from a variable.</summary>
    [Theory]
    [InlineData("/tmp/a\ntouch INJECTED\n")]
    [InlineData("/tmp/a\rtouch INJECTED")]
    [InlineData("/tmp/a\tb")]
    [InlineData("/tmp/a\u001b[2Jb")]
    [InlineData("/tmp/a\u0085b")]
    public void A_path_with_a_line_break_or_another_control_character_is_refused_when_the_file_is_read(string path)
    {
        string[] keys = ["state_dir", "workers.python", "containers.binds", "containers.cache.dir", "stage_in"];
        foreach (var written in (string[])[System.Text.Json.JsonSerializer.Serialize(path), "\"${EVIL}/x\""])
        {
            var file = EndpointConfigurationFile.Parse(
                "x.yaml",
                $"name: a\nservice: https://x.org\nstate_dir: {written}\nprovider: {{type: slurm, walltime: 1h}}\nworkers: {{per_node: 1, python: {written}}}\ncontainers: {{binds: [{written}], cache: {{dir: {written}}}}}\nstage_in: [{written}]",
                name => name == "EVIL" ? path : null);
            file.Value.ShouldBeNull();
            file.Errors.Select(static error => error.Message).ShouldBe(keys.Select(static key => $"'{key}' must be a path of 1 to 4096 characters on one line"), ignoreOrder: true);
        }
    }

    [Theory]
    [InlineData("--x\n#!/bin/sh\ntouch x")]
    [InlineData("--x\rtouch x")]
    public void An_option_with_a_line_break_is_no_option(string directive) =>
        EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: https://x.org\nstate_dir: /tmp/a\nprovider: {{type: slurm, walltime: 1h, directives: [{System.Text.Json.JsonSerializer.Serialize(directive)}]}}\nworkers: {{per_node: 1}}")
            .Errors.ShouldHaveSingleItem().Message.ShouldContain("one line");

    public void Dispose() => _scratch.Dispose();

    private static EndpointConfiguration Read(string name)
    {
        var beside = Path.Combine(Golden, $"{name}.yaml");
        var file = File.Exists(beside) ? beside : Path.Combine(ConfigurationScratch.Repository("configs"), $"{name}.yaml");
        var result = EndpointConfigurationFile.Parse(file, File.ReadAllText(file), static _ => "/home/ann");
        result.Errors.ShouldBeEmpty();
        return result.Value!;
    }

    private static string Script(EndpointConfiguration configuration, string manager = "/opt/funcx/funcx-manager") =>
        BatchSchedulers.Of(configuration)!.Script(new BatchJob(new BlockRequests(configuration, "0123456789", manager).Of("b1", configuration.Provider.Nodes)));

    private static async Task<string> CheckAsync(string script)
    {
        using var bash = Process.Start(new ProcessStartInfo("/bin/bash", ["-n"]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardError = true })!;
        await bash.StandardInput.WriteAsync(script);
        bash.StandardInput.Close();
        var problem = await bash.StandardError.ReadToEndAsync();
        await bash.WaitForExitAsync();
        return problem + (bash.ExitCode == 0 ? "" : $"exit {bash.ExitCode}");
    }

    [GeneratedRegex("^--?[a-zA-Z-]+")]
    private static partial Regex Option();
}
