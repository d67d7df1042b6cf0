using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>An endpoint whose blocks are jobs of a real Slurm.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SlurmBlocksTests : IAsyncLifetime
{
    private SlurmLab? _lab;

    [Fact]
    public Task A_block_of_two_nodes_survives_the_endpoint_and_the_next_one_has_it_and_stop_leaves_none() => RunAsync(
        "{type: slurm, walltime: 10m, nodes_per_block: 2, poll_interval: 1s}", new EndpointOptions(), async (cluster, environment) =>
        {
            await cluster.WaitOnlineAsync(managers: 2);
            var job = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "first", Enumerable.Range(0, 60).Select(static i => $"[0.2, {i}]")));
            await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("first")).Done >= 4, "tasks run");

            await cluster.Endpoint.KillAsync();
            await cluster.Endpoint.StartAsync(environment);

            (await cluster.Api.WaitAsync("first", 60)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
            await cluster.WaitOnlineAsync(managers: 2);
            (await _lab.JobsAsync()).ShouldBe([$"{job} RUNNING"], "the next process was to take up the job, and ask for no other");
            using (var status = await cluster.Endpoint.StatusAsync())
                status!.RootElement.GetProperty("blocks")[0].GetProperty("job").GetString().ShouldBe(job);

            await cluster.Endpoint.StopAsync();
            await Eventually.TrueAsync(async () => (await _lab.JobsAsync()).Length == 0, "squeue is empty", TimeSpan.FromSeconds(10));
        });

    [Fact]
    public Task Blocks_come_with_demand_and_go_and_a_controller_that_stands_still_stops_no_task() => RunAsync(
        "{type: slurm, walltime: 10m, poll_interval: 1s}", new EndpointOptions { Blocks = 2, BlockIdle = TimeSpan.FromSeconds(2) }, async (cluster, _) =>
        {
            (await _lab!.JobsAsync()).ShouldBeEmpty("no block may be there before there is work");
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", Enumerable.Range(0, 40).Select(static i => $"[0.5, {i}]")));
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 2, "two blocks run", seen: () => $"{cluster.Endpoint.Managers().Count} managers");

            var controller = ProcessIdentity.Of(_lab.PidOf("slurmctld"));
            controller.Stop().ShouldBeTrue();
            try
            {
                (await cluster.Api.WaitAsync("work", 40)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
            }
            finally
            {
                controller.Continue();
            }

            await Eventually.TrueAsync(async () => (await _lab.JobsAsync()).Length == 0, "blocks end when idle, also those that could not be ended at first", TimeSpan.FromSeconds(90));
        });

    [Fact]
    public Task What_Slurm_refuses_is_said_with_the_key_to_look_at_and_nothing_is_left() => RunAsync(
        "{type: slurm, walltime: 10m, partition: debg, poll_interval: 1s}", new EndpointOptions { BlockIdle = TimeSpan.FromSeconds(2) }, async (cluster, _) =>
        {
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", ["[0, 1]"]));
            await cluster.NoteSaysAsync("Check provider.partition");
            (await _lab!.JobsAsync()).ShouldBeEmpty();
            await cluster.Endpoint.StopAsync();
        });

    public async ValueTask InitializeAsync()
    {
        if (SlurmLab.Missing is null)
            _lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: 2);
    }

    public async ValueTask DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    private async Task RunAsync(string provider, EndpointOptions options, Func<LocalCluster, IReadOnlyDictionary<string, string?>, Task> body)
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = _lab!.Configuration };
        await Scenario.RunAsync(options with { Provider = provider }, cluster => body(cluster, environment), endpointEnvironment: environment);
    }
}
