using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>The client or the service dies at a named point.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class FailPointTests : FailPointScenarios
{
    [Theory]
    [InlineData("before-send")]
    [LongData("after-send")]
    [LongData("after-acknowledgement")]
    [LongData("before-outcomes")]
    [LongData("after-outcomes")]
    public Task A_client_that_dies_loses_nothing(string point) => Scenario.SharingAsync(async cluster =>
    {
        // Longer tasks than elsewhere here too: on a busy machine the last batch would be back before the client is dead.
        await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 20, 3, submitterEnvironment: FailAt(point, 12));
        await work.Submitter.WaitAsync(Eventually.Patience);
        work.Submitter.ExitCode.ShouldBe(137, "the client did not die at its fail point");
        work.NoteDeath("client", work.Submitter.Identity.Pid);
        await AtTheServiceAsync(cluster, work);

        await work.StartSubmitterAsync();

        (await FinishAsync(work)).ShouldBe(0);
    });

    [Theory]
    [LongData("before-commit-submit")]
    [LongData("after-commit-submit")]
    [LongData("before-reply-submit")]
    [LongData("after-reply-submit")]
    [LongData("before-dispatch")]
    [LongData("after-dispatch")]
    [LongData("before-commit-results")]
    [LongData("after-commit-results")]
    [LongData("before-ack")]
    [InlineData("after-ack")]
    public Task A_service_that_dies_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            // Longer tasks than elsewhere: none of these may wait for a service that is dead when the endpoint is asked.
            await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 20, 3);
            await cluster.Service.WaitForExitAsync();
            cluster.Service.ExitCode.ShouldBe(137, "the service did not die at its fail point");
            work.NoteDeath("service", cluster.Service.Identity.Pid);
            await BeyondTheServiceAsync(cluster);

            await cluster.Service.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
        },
        serviceEnvironment: FailAt(point, 4));
}
