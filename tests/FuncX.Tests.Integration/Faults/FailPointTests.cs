using System.Globalization;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>
/// A process dies by SIGKILL at a named point in the middle of work, before or after a commit, a send or an acknowledgement, and is started again. The checker
/// sees to it that nothing runs twice but what was lost with a manager, a zygote or a worker.
/// </summary>
[Trait(Beside.Name, Beside.Others)]
public sealed class FailPointTests
{
    private const int PerBatch = 50;

    [Theory]
    [InlineData("before-send")]
    [InlineData("after-send")]
    [InlineData("after-acknowledgement")]
    [InlineData("before-outcomes")]
    [InlineData("after-outcomes")]
    public Task A_client_that_dies_loses_nothing(string point) => Scenario.RunAsync(async cluster =>
    {
        await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3, submitterEnvironment: FailAt(point, 12));
        await work.Submitter.WaitAsync(Eventually.Patience);
        work.Submitter.ExitCode.ShouldBe(137, "the client did not die at its fail point");
        work.NoteDeath("client", work.Submitter.Identity.Pid);
        await AtTheServiceAsync(cluster, work);

        await work.StartSubmitterAsync();

        (await FinishAsync(work)).ShouldBe(0);
    });

    [Theory]
    [InlineData("before-commit-submit")]
    [InlineData("after-commit-submit")]
    [InlineData("before-reply-submit")]
    [InlineData("after-reply-submit")]
    [InlineData("before-dispatch")]
    [InlineData("after-dispatch")]
    [InlineData("before-commit-results")]
    [InlineData("after-commit-results")]
    [InlineData("before-ack")]
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

    [Theory]
    [InlineData("before-manager-send")]
    [InlineData("after-manager-send")]
    [InlineData("before-link-send")]
    [InlineData("after-link-send")]
    [InlineData("before-manager-ack")]
    [InlineData("after-manager-ack")]
    public Task An_endpoint_that_dies_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3);
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(137, "the endpoint did not die at its fail point");
            work.NoteDeath("endpoint", cluster.Endpoint.Identity.Pid);
            await AtTheEndpointAsync(cluster, work);

            await cluster.Endpoint.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
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
            work.NoteDeath("service", cluster.Service.Identity.Pid);
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(137, "the endpoint did not die at its fail point");
            work.NoteDeath("endpoint", cluster.Endpoint.Identity.Pid);

            // First the service: by its log it says what the endpoint had when it died.
            await cluster.Service.StartAsync();
            await AtTheEndpointAsync(cluster, work);
            await cluster.Endpoint.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
        },
        endpointEnvironment: FailAt(point, 1));

    [Theory]
    [InlineData("before-spool-delete")]
    [InlineData("after-spool-delete")]
    public Task An_endpoint_that_dies_while_it_deletes_what_it_had_spooled_loses_nothing(string point) => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 1_000, 20, 3);
            await work.FlowsAsync();
            await cluster.Service.KillAsync();
            work.NoteDeath("service", cluster.Service.Identity.Pid);
            var spool = Path.Combine(cluster.Endpoint.StateDirectory, "spool");
            await Eventually.TrueAsync(() => Directory.Exists(spool) && Spooled() > 0, "results are in the spool");

            // Before the file is deleted the service has committed all of it, and does not so a second time.
            await cluster.Service.StartAsync();
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(137, "the endpoint did not die at its fail point");
            work.NoteDeath("endpoint", cluster.Endpoint.Identity.Pid);
            // At stake is what was spooled, which may be all that there was.
            await cluster.Endpoint.StartAsync();

            (await FinishAsync(work)).ShouldBe(0);
            await Eventually.TrueAsync(() => Spooled() == 0, "the spool is empty");

            long Spooled() => Directory.EnumerateFiles(spool, "*.spool", SearchOption.AllDirectories).Sum(static path => new FileInfo(path).Length);
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
        var once = Path.Combine(directory, "once");
        var wrapper = await WriteScriptAsync(directory, "funcx-manager", $$"""
            [ -e '{{once}}' ] || { : >'{{once}}'; export FUNCX_FAILPOINT={{point}}:6; }
            exec '{{FuncX.Contracts.Programs.Manager}}' "$@"
            """);
        await Scenario.RunAsync(
            new EndpointOptions(),
            async cluster =>
            {
                var first = cluster.Endpoint.Managers().Single().Identity;
                await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3);
                await Eventually.TrueAsync(() => !first.IsAlive, "the manager dies at its fail point");
                var counts = work.Counts();
                work.NoteDeath("manager", first.Pid, counts.Planned - counts.Outcomes);
                await AtTheEndpointAsync(cluster, work);

                await FinishAsync(work);
            },
            endpointEnvironment: new Dictionary<string, string?> { ["FUNCX_MANAGER"] = wrapper });
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData("worker", "before-worker-result:40", 1)]
    [InlineData("worker", "after-worker-result:40", 0)]
    // Its second worker has not been made, or made and not handed over; the first may be in the middle of a task.
    [InlineData("zygote", "before-fork:2", 1)]
    [InlineData("zygote", "after-fork:2", 1)]
    // Handed over: both may be.
    [InlineData("zygote", "after-handover:2", 2)]
    public async Task A_worker_or_a_zygote_that_dies_costs_what_it_was_about_to_hand_over_and_nothing_else(string kind, string point, int mostLost)
    {
        var directory = LocalCluster.NewDirectory("wrapper");
        var once = Path.Combine(directory, "once");
        var python = await WriteScriptAsync(directory, "python3", $"""
            export FUNCX_FAILPOINT={point} FUNCX_FAILPOINT_ONCE='{once}'
            exec /usr/bin/python3 "$@"
            """);
        await Scenario.RunAsync(new EndpointOptions { Python = python }, async cluster =>
        {
            await using var work = await Workload.StartAsync(cluster, PerBatch, 400, 3, 3);
            var pid = 0;
            await Eventually.TrueAsync(
                () => File.Exists(once) && int.TryParse(File.ReadAllText(once), NumberStyles.None | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out pid),
                $"a {kind} dies at its fail point");
            work.NoteDeath(kind, pid);
            await AtTheEndpointAsync(cluster, work);

            (await FinishAsync(work)).ShouldBeLessThanOrEqualTo(mostLost);
        });
        Directory.Delete(directory, recursive: true);
    }

    private static Dictionary<string, string?> FailAt(string point, int passage) => new() { ["FUNCX_FAILPOINT"] = $"{point}:{passage}" };

    private static async Task<string> WriteScriptAsync(string directory, string name, string text)
    {
        var path = Path.Combine(directory, name);
        await File.WriteAllTextAsync(path, $"#!/bin/sh\n{text}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>Beyond the client: accepted by the service, and no outcome in the client's journal. What it had only planned does not count.</summary>
    private static async Task AtTheServiceAsync(LocalCluster cluster, Workload work)
    {
        var counts = work.Counts();
        ((await cluster.Api.GroupAsync(work.Group)).Tasks - counts.Outcomes).ShouldBeGreaterThan(0, $"no work was beyond the client at its death: {counts}");
    }

    /// <summary>
    /// Beyond the service: at the endpoint, in its queue, at its managers, or as a result that nobody has taken from it, in the end in its spool. With the service dead
    /// nothing leaves it; what was on its way comes.
    /// </summary>
    private static async Task BeyondTheServiceAsync(LocalCluster cluster)
    {
        string[] places = ["queued", "running", "results_held", "spool_bytes"];
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                if (status is null)
                    return false;
                var dispatch = status.RootElement.GetProperty("dispatch");
                seen = dispatch.ToString();
                return places.Sum(place => dispatch.GetProperty(place).GetInt64()) > 0;
            },
            "work was beyond the service at its death",
            TimeSpan.FromSeconds(20),
            () => seen);
    }

    private static async Task AtTheEndpointAsync(LocalCluster cluster, Workload work) =>
        (await cluster.Api.GroupAsync(work.Group)).Dispatched.ShouldBeGreaterThan(0, "no work was beyond the service at the death");

    /// <summary>Gives the number of tasks that ran more than once.</summary>
    private static async Task<int> FinishAsync(Workload work)
    {
        await work.FlowsAsync();
        var report = await work.FinishAsync(TimeSpan.FromMinutes(2));
        report.GetProperty("acknowledged").GetInt32().ShouldBeGreaterThan(PerBatch);
        return report.GetProperty("executions").EnumerateObject().Where(static entry => entry.Name is not "1").Sum(static entry => entry.Value.GetInt32());
    }
}
