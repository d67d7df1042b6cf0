using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>An endpoint whose blocks are jobs of PBS and of Cobalt, played by commands that really run them.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedBlocksTests
{
    [Theory]
    [LongData("pbs")]
    [LongData("cobalt")]
    public async Task A_block_of_two_nodes_survives_the_endpoint_and_the_next_one_has_it_and_stop_leaves_none(string kind)
    {
        using var site = new PlayedSite(kind);
        // PBS's launcher is found from its configuration, Cobalt has none of its own.
        var init = kind == "cobalt" ? $", init: \"PATH={site.Commands}:$PATH\"" : "";
        var options = new EndpointOptions { Provider = $"{{type: {kind}, walltime: 10m, nodes_per_block: 2, poll_interval: 1s{init}}}" };
        await Scenario.SharingAsync(options, async cluster =>
        {
            await cluster.WaitOnlineAsync(managers: 2);
            var job = await BlockWork.JobAsync(cluster);
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "first", Enumerable.Range(0, 40).Select(static i => $"[0.2, {i}]")));
            await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("first")).Done >= 4, "tasks run");

            await cluster.Endpoint.KillAsync();
            await cluster.Endpoint.StartAsync(site.Environment);

            (await cluster.Api.WaitAsync("first", 40)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
            await cluster.WaitOnlineAsync(managers: 2);
            (await BlockWork.JobAsync(cluster)).ShouldBe(job, "the next process was to take up the job, and ask for no other");

            var blocks = await EndpointCommand.RunAsync(site.Root, site.Environment, "blocks", "--config", cluster.Endpoint.Configuration);
            blocks.ShouldEnd(0).Output.ShouldContain(job);
            (await EndpointCommand.RunAsync(site.Root, site.Environment, "stop", "--keep", "--config", cluster.Endpoint.Configuration)).ShouldEnd(0).Output.ShouldContain("left 1 blocks running");
            await cluster.Endpoint.StartAsync(site.Environment);
            await cluster.WaitOnlineAsync(managers: 2);
            (await BlockWork.JobAsync(cluster)).ShouldBe(job, "a block that was kept was to be taken up");
            site.JobsEver().ShouldBe(1);

            await cluster.Endpoint.StopAsync();
            await site.NothingRunsAsync();
        }, endpointEnvironment: site.Environment);
    }
}
