using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>The endpoint dies at a named point.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class EndpointFailPointTests : FailPointScenarios
{
    [Theory]
    [InlineData("before-manager-send")]
    [LongData("after-manager-send")]
    [LongData("before-link-send")]
    [LongData("after-link-send")]
    [LongData("before-manager-ack")]
    [LongData("after-manager-ack")]
    public Task An_endpoint_that_dies_loses_nothing(string point) => Scenario.SharingAsync(
        new EndpointOptions(),
        async cluster =>
        {
            // Long tasks: however late the next batches come, the first is not through after six messages.
            await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 20, 3);
            await DiesAsync(cluster, work);
            await AtTheEndpointAsync(cluster, work);

            await cluster.Endpoint.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
        },
        endpointEnvironment: FailAt(point, 6));

    [Theory]
    [LongData("before-spool")]
    [InlineData("after-spool")]
    public Task An_endpoint_that_dies_while_it_spools_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 1_000, 20, 3);
            await KillServiceAsync(cluster, work);
            await DiesAsync(cluster, work);

            // First the service: by its log it says what the endpoint had when it died.
            await cluster.Service.StartAsync();
            await AtTheEndpointAsync(cluster, work);
            await cluster.Endpoint.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
        },
        endpointEnvironment: FailAt(point, 1));

    [Theory]
    [LongData("before-spool-delete")]
    [LongData("after-spool-delete")]
    public Task An_endpoint_that_dies_while_it_deletes_what_it_had_spooled_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 1_000, 20, 3);
            await KillServiceAsync(cluster, work);
            var spool = Path.Combine(cluster.Endpoint.StateDirectory, "spool");
            await Eventually.TrueAsync(() => Directory.Exists(spool) && Spooled().Any(static path => new FileInfo(path).Length > 0), "results are in the spool");

            // Before the file is deleted the service has committed all of it, and does not so a second time.
            await cluster.Service.StartAsync();
            await DiesAsync(cluster, work);
            // At stake is what was spooled, which may be all that there was.
            await cluster.Endpoint.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
            await Eventually.TrueAsync(() => !Spooled().Any(), "the spool is empty");

            IEnumerable<string> Spooled() => Directory.EnumerateFiles(spool, "*.spool", SearchOption.AllDirectories);
        },
        endpointEnvironment: FailAt(point, 1));

    private static async Task DiesAsync(LocalCluster cluster, Workload work)
    {
        await cluster.Endpoint.WaitForExitAsync();
        cluster.Endpoint.ExitCode.ShouldBe(137, "the endpoint did not die at its fail point");
        work.NoteDeath("endpoint", cluster.Endpoint.Identity.Pid);
    }

    /// <summary>In the middle of work: what ends from then on is spooled.</summary>
    private static async Task KillServiceAsync(LocalCluster cluster, Workload work)
    {
        await work.FlowsAsync();
        await cluster.Service.KillAsync();
        work.NoteDeath("service", cluster.Service.Identity.Pid);
    }
}
