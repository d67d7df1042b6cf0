using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Blocks of real processes that come and go with demand.</summary>
public sealed class ScalingTests
{
    private const int Most = 2;

    [Fact]
    public Task Blocks_come_with_demand_from_none_to_the_most_end_when_idle_and_come_again() => Scenario.SharingAsync(
        new EndpointOptions { Blocks = Most, BlockIdle = TimeSpan.FromSeconds(1) },
        async cluster =>
        {
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            cluster.Endpoint.Managers().ShouldBeEmpty("no block may be there before there is work");

            var first = await UpAndDownAsync(cluster, nap, "first");
            var second = await UpAndDownAsync(cluster, nap, "second");

            second.Intersect(first).ShouldBeEmpty("a block that has ended must not come back");
        });

    [Fact]
    public Task One_task_is_worth_one_block() => Scenario.SharingAsync(
        new EndpointOptions { Blocks = Most, BlockIdle = TimeSpan.FromSeconds(1) },
        async cluster =>
        {
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "one", ["[1.5, 1]"]));
            var blocks = new HashSet<string>(StringComparer.Ordinal);

            await Eventually.TrueAsync(
                async () =>
                {
                    using var status = await cluster.Endpoint.StatusAsync();
                    blocks.UnionWith(status!.RootElement.GetProperty("blocks").EnumerateArray().Select(static block => block.GetProperty("block").GetString()!));
                    return (await cluster.Api.GroupAsync("one")).Done == 1;
                },
                "the task has ended");

            blocks.Count.ShouldBe(1);
        });

    /// <summary>More tasks than two blocks have workers; gives the managers that came for them, once none is left.</summary>
    private static async Task<HashSet<ProcessIdentity>> UpAndDownAsync(LocalCluster cluster, string nap, string group)
    {
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, group, Enumerable.Range(0, 40).Select(static i => $"[0.2, {i}]")));
        var seen = new HashSet<ProcessIdentity>();
        await Eventually.TrueAsync(() => Managers().Count == Most, $"{Most} blocks run while 40 tasks wait", seen: () => $"{Managers().Count} managers");
        var results = await cluster.Api.WaitAsync(group, 40);
        results.Values.Select(static result => result.Text).Order().ShouldBe(Enumerable.Range(0, 40).Select(static i => $"{i}").Order());

        await Eventually.TrueAsync(() => Managers().Count == 0, "every block ends when idle", seen: () => $"{Managers().Count} managers");
        await Eventually.TrueAsync(
            async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status is { Managers: 0, BlocksRunning: 0, BlocksRequested: 0 },
            "the service is told that no block is left");
        seen.Count.ShouldBe(Most, "blocks were replaced although none was lost");
        return seen;

        IReadOnlyList<ProcessEntry> Managers()
        {
            var managers = cluster.Endpoint.Managers();
            seen.UnionWith(managers.Select(static entry => entry.Identity));
            return managers;
        }
    }
}
