using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>
/// Worlds by the launchers of Cray's machines: aprun (ALPS) in a job of Cobalt, the mpiexec of PALS in one of PBS. The launchers are played by commands that take what theirs do and have MPICH's run
/// the ranks (<c>tests/lib/fake_aprun</c>, <c>fake_pals_mpiexec</c>); agent, ranks and workers are real, and the agent finds the launcher by itself.
/// </summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedLaunchersTests
{
    private const int Ranks = 2;

    [Theory]
    [InlineData("cobalt", "aprun", "fake_aprun", "nid00008 nid00009")]
    [InlineData("pbs", "mpiexec", "fake_pals_mpiexec", "x1000c0s0b0n0 x1000c0s0b0n1")]
    public async Task A_world_does_its_tasks_is_back_when_a_rank_was_killed_and_leaves_nothing(string scheduler, string launcher, string script, string hosts)
    {
        using var site = new PlayedSite(scheduler, launches: false);
        site.Install(launcher, script);
        site.Configure($$"""{"hosts": ["{{hosts.Replace(" ", "\", \"", StringComparison.Ordinal)}}"]}""");
        var options = new EndpointOptions
        {
            // In front of what this machine has of that name, as the site's module does.
            Provider = $"{{type: {scheduler}, walltime: 10m, nodes_per_block: {Ranks}, poll_interval: 1s, init: \"export PATH={site.Commands}:$PATH FUNCX_MPI_LIBRARY=libmpich.so.12\"}}",
            Transport = "mpi",
            WorkersPerNode = 1,
        };
        await Scenario.RunAsync(options, async cluster =>
        {
            await cluster.WaitOnlineAsync(managers: Ranks);
            var world = RunningWorld.Of(cluster, Ranks).ShouldHaveSingleItem();
            File.ReadAllText($"/proc/{world.Ranks[1].Pid}/environ").Split('\0').ShouldContain(launcher == "aprun" ? "ALPS_APP_PE=1" : "PALS_RANKID=1");
            var work = await WorldWork.BeginAsync(cluster, "killed", calls: 40, milliseconds: 100);
            await work.RunsOnAsync([world]);

            world.Ranks[1].Kill().ShouldBeTrue();

            (await work.FinishAsync()).Values.ShouldContain(static attempts => attempts > 1, "nothing was lost: nothing was shown");
            await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.Managers == Ranks && !world.Ranks[1].IsAlive, "a manager is on each node again");
            var more = await WorldWork.BeginAsync(cluster, "more", calls: 10, milliseconds: 50);
            await more.FinishAsync();

            await cluster.Endpoint.StopAsync();
            await site.NothingRunsAsync();
        }, endpointEnvironment: site.Environment);
    }
}
