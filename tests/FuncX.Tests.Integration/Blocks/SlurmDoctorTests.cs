using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary><c>funcx-endpoint doctor --job</c> with a real Slurm, whose nodes are on this host.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SlurmDoctorTests(SlurmDoctorLab lab) : IClassFixture<SlurmDoctorLab>
{
    [Fact]
    public async Task Two_nodes_that_are_well_say_so_and_no_job_and_no_file_is_left()
    {
        var output = (await DoctorAsync("", "--job")).ShouldEnd(0, "of 2 nodes was submitted; it is waited for 600 s at most").Output;
        Line(output, "nodes").ShouldStartWith("nodes        ok       n1, n2 of job ");
        Line(output, "nodes").ShouldContain("may write state_dir and reach 127.0.0.1");
        Line(output, "nodes").ShouldContain("; glibc 2.");
        Line(output, "scheduler").ShouldContain("ok       slurm answers");
        Line(output, "script").ShouldContain("ok       Slurm would take it: sbatch: Job ");
        Line(output, "addresses").ShouldContain("warning  managers could dial 127.0.0.1");
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task Without_job_the_nodes_are_not_asked()
    {
        var output = (await DoctorAsync("")).ShouldEnd(1).Output;
        Line(output, "nodes").ShouldContain("skipped  compute nodes were not asked; with --job ");
        Line(output, "addresses").ShouldContain("problem  managers could dial 127.0.0.1");
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_partition_that_is_misspelt_is_found_in_Slurms_words_before_a_job_is_submitted_and_when_it_is()
    {
        var output = (await DoctorAsync(", partition: debg", "--job")).ShouldEnd(1).Output;
        Line(output, "script").ShouldContain("problem  Slurm would refuse the batch script of this file (exit 1): ");
        Line(output, "script").ShouldContain("nvalid partition");
        Line(output, "script").ShouldContain("Cure: check provider.partition");
        Line(output, "nodes").ShouldContain("problem  sbatch refused block ");
        Line(output, "nodes").ShouldEndWith("Cure: Check provider.partition");
        await NothingIsLeftAsync();
    }

    /// <summary>A node without a network: bash begins with a file of the site's, which on this node goes on where not even loopback is up.</summary>
    [Fact]
    public async Task A_node_that_does_not_reach_this_machine_is_named()
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        var cut = Path.Combine(lab.Cluster.DirectoryPath, "cut");
        // What the shell was called with is not in its parameters yet.
        await File.WriteAllTextAsync(cut, """
            mapfile -d '' words </proc/$$/cmdline
            case ${SLURMD_NODENAME:-}${words[1]:-} in n2*/probe.sh) [ -n "${CUT:-}" ] || CUT=1 exec unshare --net "${words[@]:1}" ;; esac

            """);
        var output = (await DoctorAsync("", Environment(("BASH_ENV", cut)), "--job")).ShouldEnd(1, "was submitted").Output;
        Line(output, "nodes").ShouldStartWith("nodes        problem  n2: no address of this machine is reached: 127.0.0.1 (Network is unreachable)");
        Line(output, "nodes").ShouldContain("Cure: name the interface in `interfaces`");
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_job_that_does_not_start_is_cancelled_in_the_end()
    {
        var output = (await DoctorAsync(", directives: ['--hold']", "--job", "--timeout", "2")).ShouldEnd(1, "was submitted", "is cancelled").Output;
        Line(output, "nodes").ShouldContain("had not ended after 2 s and was cancelled: held");
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_job_that_is_interrupted_is_cancelled_at_once()
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        await using var doctor = Daemon.Start([Contracts.Programs.Endpoint, "doctor", "--job", Configuration(", directives: ['--hold']"), "--token-file", lab.Cluster.TokenFile],
            Path.Combine(lab.Cluster.DirectoryPath, "doctor.log"), Environment());
        await Eventually.TrueAsync(() => doctor.Tail.Contains("was submitted", StringComparison.Ordinal), "the job is submitted", seen: () => doctor.Tail);
        (await doctor.StopAsync()).ShouldBe(1, doctor.Tail);
        doctor.Tail.ShouldContain("is cancelled");
        doctor.Tail.ShouldContain("interrupted");
        await NothingIsLeftAsync();
    }

    private static string Line(string output, string check) => output.Split('\n').Where(line => line.StartsWith($"{check} ", StringComparison.Ordinal)).ShouldHaveSingleItem(output);

    private Dictionary<string, string?> Environment(params (string Name, string Value)[] more)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = lab.Slurm.Configuration };
        foreach (var (name, value) in more)
            environment[name] = value;
        return environment;
    }

    private string Configuration(string provider) => lab.Cluster.CreateEndpoint(
        new EndpointOptions { Provider = $"{{type: slurm, walltime: 10m, nodes_per_block: 2, poll_interval: 1s{provider}}}" }, lab.Cluster.TokenFile).Configuration;

    private Task<EndpointCommand> DoctorAsync(string provider, params string[] options)
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        return DoctorAsync(provider, Environment(), options);
    }

    private Task<EndpointCommand> DoctorAsync(string provider, Dictionary<string, string?> environment, params string[] options) =>
        EndpointCommand.RunAsync(lab.Cluster.DirectoryPath, environment, ["doctor", Configuration(provider), "--token-file", lab.Cluster.TokenFile, .. options]);

    private async Task NothingIsLeftAsync()
    {
        (await lab.Slurm.JobsAsync()).ShouldBeEmpty();
        Directory.Exists(Path.Combine(lab.Cluster.DirectoryPath, "test")).ShouldBeFalse("state_dir was not there, and nothing of it is left");
    }
}
