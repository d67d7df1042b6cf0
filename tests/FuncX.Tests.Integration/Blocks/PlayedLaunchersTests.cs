using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Integration.Outcomes;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>
/// Worlds by the launchers of Cray's machines: aprun (ALPS) in a job of Cobalt, the mpiexec of PALS in one of PBS. The launchers are played by commands that take what theirs do and have MPICH's run
/// the ranks (<c>tests/lib/fake_aprun</c>, <c>fake_pals_mpiexec</c>); agent, ranks and workers are real, and the agent finds the launcher by itself.
/// </summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedLaunchersTests
{
    [Theory]
    [InlineData("cobalt", "aprun", "fake_aprun", "nid00008 nid00009", "COBALT_JOBID COBALT_NODEFILE")]
    [InlineData("pbs", "mpiexec", "fake_pals_mpiexec", "x1000c0s0b0n0 x1000c0s0b0n1", "PBS_JOBID PBS_NODEFILE")]
    [LongData("cobalt", "aprun", "fake_aprun", "nid00008 nid00009 nid00010 nid00011", "COBALT_JOBID COBALT_NODEFILE")]
    [LongData("pbs", "mpiexec", "fake_pals_mpiexec", "x1000c0s0b0n0 x1000c0s0b0n1 x1000c0s1b0n0 x1000c0s1b0n1", "PBS_JOBID PBS_NODEFILE")]
    public async Task A_world_does_its_tasks_is_back_when_a_rank_was_killed_and_leaves_nothing(string scheduler, string launcher, string script, string hosts, string jobs)
    {
        var ranks = hosts.Split(' ').Length;
        using var site = new PlayedSite(scheduler, launches: false);
        site.Install(launcher, script);
        site.Configure($$"""{"hosts": ["{{hosts.Replace(" ", "\", \"", StringComparison.Ordinal)}}"]}""");
        var options = new EndpointOptions
        {
            // In front of what this machine has of that name, as the site's module does.
            Provider = $"{{type: {scheduler}, walltime: 10m, nodes_per_block: {ranks}, poll_interval: 1s, init: \"export PATH={site.Commands}:$PATH FUNCX_MPI_LIBRARY=libmpich.so.12\"}}",
            Transport = "mpi",
            WorkersPerNode = 1,
        };
        await Scenario.SharingAsync(options, async cluster =>
        {
            await cluster.WaitOnlineAsync(managers: ranks);
            var world = RunningWorld.Of(cluster, ranks).ShouldHaveSingleItem();
            ProcessTable.Variable(world.Ranks[1].Pid, launcher == "aprun" ? "ALPS_APP_PE" : "PALS_RANKID").ShouldBe("1");
            await SeesTheJobAloneAsync(cluster, world, jobs.Split(' '));
            var work = await WorldWork.BeginAsync(cluster, "killed", calls: 40, milliseconds: 100);
            await work.RunsOnAsync([world]);

            world.Ranks[1].Kill().ShouldBeTrue();

            (await work.FinishAsync()).Values.ShouldContain(static attempts => attempts > 1, "nothing was lost: nothing was shown");
            await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.Managers == ranks && !world.Ranks[1].IsAlive, "a manager is on each node again");
            var more = await WorldWork.BeginAsync(cluster, "more", calls: 10, milliseconds: 50);
            await more.FinishAsync();

            await cluster.Endpoint.StopAsync();
            await site.NothingRunsAsync();
        }, endpointEnvironment: site.Environment);
    }

    // What says which job this is, as its script has it, and none of what the launcher says to each rank; on every processor that the job may use.
    private static async Task SeesTheJobAloneAsync(LocalCluster cluster, RunningWorld world, string[] jobs)
    {
        const string Own = "^(PMI|OMPI_|PRTE_|MPI_LOCAL|ALPS_APP_|PALS_|HYDI_|HYDRA_)";
        var rank = ProcessTable.Variables(world.Ranks[1].Pid);
        rank.Keys.Count(static name => Regex.IsMatch(name, Own)).ShouldBeGreaterThan(2, "the launcher says nothing to hide");
        var python = await cluster.Api.RegisterAsync("import os\ndef look():\n    return [dict(os.environ), sorted(os.sched_getaffinity(0))]\n", "look");
        var command = await cluster.Api.RegisterCommandAsync("env", """{"command": ["env", "-0"]}""");
        var seen = JsonDocument.Parse((await cluster.CallAsync(python, "[]")).Text).RootElement;
        seen[1].EnumerateArray().Select(static processor => processor.GetInt32()).ShouldBe(Processors.Ours);
        var ofPython = seen[0].EnumerateObject().ToDictionary(static entry => entry.Name, static entry => entry.Value.GetString()!);
        var ofCommand = ProcessTable.Variables(JsonDocument.Parse((await cluster.CallAsync(command, "[]")).Text).RootElement.GetProperty("stdout").GetString()!);
        foreach (var environment in (IReadOnlyDictionary<string, string>[])[ofPython, ofCommand])
        {
            environment.Keys.ShouldNotContain(static name => Regex.IsMatch(name, Own));
            foreach (var name in jobs)
                environment.GetValueOrDefault(name, "").ShouldBe(rank.GetValueOrDefault(name, "none"), name);
        }
    }
}
