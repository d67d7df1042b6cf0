using System.Globalization;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>A manager, a zygote or a worker dies at a named point.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class NodeFailPointTests : FailPointScenarios
{
    [Theory]
    [LongData("before-worker-send")]
    [LongData("after-worker-send")]
    [InlineData("before-result-send")]
    [LongData("after-result-send")]
    public async Task A_manager_that_dies_loses_nothing(string point)
    {
        // Only the first manager has the fail point: those after it run as they are.
        var directory = LocalCluster.NewDirectory("wrapper");
        var once = Path.Combine(directory, "once");
        var wrapper = await WriteScriptAsync(directory, "funcx-manager", $$"""
            [ -e '{{once}}' ] || { : >'{{once}}'; export FUNCX_FAILPOINT={{point}}:6; }
            exec '{{FuncX.Contracts.Programs.Manager}}' "$@"
            """);
        await Scenario.SharingAsync(
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
    [LongData("worker", "after-worker-result:40", 0)]
    // Its second worker has not been made, or made and not handed over; the first may be in the middle of a task.
    [LongData("zygote", "before-fork:2", 1)]
    [LongData("zygote", "after-fork:2", 1)]
    // Handed over: both may be.
    [LongData("zygote", "after-handover:2", 2)]
    public async Task A_worker_or_a_zygote_that_dies_costs_what_it_was_about_to_hand_over_and_nothing_else(string kind, string point, int mostLost)
    {
        var directory = LocalCluster.NewDirectory("wrapper");
        var once = Path.Combine(directory, "once");
        var python = await WriteScriptAsync(directory, "python3", $"""
            export FUNCX_FAILPOINT={point} FUNCX_FAILPOINT_ONCE='{once}'
            exec /usr/bin/python3 "$@"
            """);
        await Scenario.SharingAsync(new EndpointOptions { Python = python }, async cluster =>
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
}
