using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

public sealed class ManagerLostTests
{
    [Fact]
    public Task A_killed_manager_of_a_block_of_two_nodes_is_replaced_while_the_other_goes_on() => Scenario.SharingAsync(new EndpointOptions { Nodes = 2 }, async cluster =>
    {
        await cluster.WaitOnlineAsync(managers: 2);
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        var before = cluster.Endpoint.Managers().Select(static manager => manager.Identity).ToList();
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "touch", Enumerable.Range(0, 200).Select(i => $"[\"{files}\", {i}, 0.1]")));
        await Eventually.TrueAsync(() => Directory.GetFiles(files).Length >= 8, "tasks run");

        before[0].Kill().ShouldBeTrue();

        await Eventually.TrueAsync(
            () => cluster.Endpoint.Managers().Count == 2, "a second manager runs again", TimeSpan.FromSeconds(20), () => $"{cluster.Endpoint.Managers().Count} managers");
        (await cluster.Api.WaitAsync("touch", 200)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        await cluster.WaitOnlineAsync(managers: 2);
        var after = cluster.Endpoint.Managers().Select(static manager => manager.Identity).ToList();
        after.ShouldContain(before[1], "the other manager was not to be touched");
        after.ShouldNotContain(before[0]);
    });
}
