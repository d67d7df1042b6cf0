using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>A process dies by SIGKILL at a named point in the middle of work and is started again.</summary>
public sealed class FailPointTests
{
    private const int PerBatch = 50;

    [Theory]
    [InlineData("before-commit-submit")]
    [InlineData("after-commit-submit")]
    [InlineData("before-reply-submit")]
    [InlineData("before-dispatch")]
    [InlineData("before-commit-results")]
    [InlineData("after-commit-results")]
    [InlineData("before-ack")]
    public Task A_service_that_dies_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3);
            await cluster.Service.WaitForExitAsync();
            cluster.Service.ExitCode.ShouldBe(137, "the service did not die at its fail point");

            await cluster.Service.StartAsync();

            await FinishAsync(work);
        },
        serviceEnvironment: FailAt(point, 4));

    [Theory]
    [InlineData("before-manager-send")]
    [InlineData("after-manager-send")]
    [InlineData("before-link-send")]
    [InlineData("after-link-send")]
    [InlineData("before-manager-ack")]
    public Task An_endpoint_that_dies_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3);
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(137, "the endpoint did not die at its fail point");

            await cluster.Endpoint.StartAsync();

            await FinishAsync(work);
        },
        endpointEnvironment: FailAt(point, 6));

    [Theory]
    [InlineData("before-spool")]
    [InlineData("after-spool")]
    public Task An_endpoint_that_dies_while_it_spools_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 1_000, 20, 3);
            await work.FlowsAsync();
            await cluster.Service.KillAsync();
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(137, "the endpoint did not die at its fail point");

            await cluster.Endpoint.StartAsync();
            await cluster.Service.StartAsync();

            await FinishAsync(work);
        },
        endpointEnvironment: FailAt(point, 1));

    [Theory]
    [InlineData("before-worker-send")]
    [InlineData("after-worker-send")]
    [InlineData("before-result-send")]
    [InlineData("after-result-send")]
    public async Task A_manager_that_dies_loses_nothing(string point)
    {
        // Only the first manager has the fail point: those after it run as they are.
        var directory = LocalCluster.NewDirectory("wrapper");
        var (wrapper, marker) = (Path.Combine(directory, "funcx-manager"), Path.Combine(directory, "once"));
        await File.WriteAllTextAsync(wrapper, $$"""
            #!/bin/sh
            [ -e '{{marker}}' ] || { : >'{{marker}}'; export FUNCX_FAILPOINT={{point}}:6; }
            exec '{{FuncX.Contracts.Programs.Manager}}' "$@"

            """);
        File.SetUnixFileMode(wrapper, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await Scenario.RunAsync(
            new EndpointOptions(),
            async cluster =>
            {
                var first = cluster.Endpoint.Managers().Single().Identity;
                await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3);
                await Eventually.TrueAsync(() => !first.IsAlive, "the manager dies at its fail point");

                await FinishAsync(work);
            },
            endpointEnvironment: new Dictionary<string, string?> { ["FUNCX_MANAGER"] = wrapper });
        Directory.Delete(directory, recursive: true);
    }

    private static Dictionary<string, string?> FailAt(string point, int passage) => new() { ["FUNCX_FAILPOINT"] = $"{point}:{passage}" };

    private static async Task FinishAsync(Workload work)
    {
        await work.FlowsAsync();
        var report = await work.FinishAsync(TimeSpan.FromMinutes(2));
        report.GetProperty("acknowledged").GetInt32().ShouldBeGreaterThan(PerBatch);
    }
}
