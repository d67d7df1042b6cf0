using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>Two processes of one endpoint: the newer link wins, the older stops, and the blocks go over with all they run.</summary>
public sealed class SupersededTests
{
    private const int Window = 400;

    [Fact]
    public Task A_second_process_on_the_same_state_directory_gets_the_blocks_with_the_tasks_they_run() => Scenario.SharingAsync(async cluster =>
    {
        await using var work = await StartWorkAsync(cluster);
        var older = cluster.Endpoint;
        var managers = older.Managers().Select(static entry => entry.Identity).ToList();
        await using var newer = new EndpointProcess(
            older.Configuration, older.StateDirectory, cluster.TokenFile, Path.Combine(cluster.DirectoryPath, "newer.log"));

        await newer.StartAsync();
        await older.WaitForExitAsync();

        older.ExitCode.ShouldNotBe(0);
        older.Tail.ShouldContain("superseded", Case.Insensitive);
        await work.FlowsAsync();
        newer.Managers().Select(static entry => entry.Identity).ShouldBe(managers, ignoreOrder: true, "the blocks should have gone over");
        await FinishAsync(work);
        newer.IsAlive.ShouldBeTrue(newer.Tail);
        (await newer.StopAsync()).ShouldBe(0, newer.Tail);
    });

    [Fact]
    public Task A_second_process_on_another_host_gets_the_link_the_blocks_and_the_tasks_they_run() => Scenario.SharingAsync(async cluster =>
    {
        // What the older one spools at its end is sent once it has been quiet for a minute.
        Assert.SkipUnless(Scenario.Full, "takes two minutes: tests/run --full");
        await using var work = await StartWorkAsync(cluster);
        var older = cluster.Endpoint;
        var managers = older.Managers().Select(static entry => entry.Identity).ToList();
        // Two hosts share the state directory and not the socket in it: the newer process cannot ask the older one to go.
        File.Delete(Path.Combine(older.StateDirectory, "control.sock"));
        await using var newer = new EndpointProcess(
            older.Configuration, older.StateDirectory, cluster.TokenFile, Path.Combine(cluster.DirectoryPath, "newer.log"));

        await newer.StartAsync();
        await older.WaitForExitAsync();

        older.ExitCode.ShouldNotBe(0);
        older.Tail.ShouldContain("superseded: another process of this endpoint has connected", Case.Insensitive);
        // What the managers held with the older one the newer one could not tell the service; more than the window cannot have been out.
        work.NoteDeath("superseded", older.Identity.Pid, Window);
        await work.FlowsAsync();
        newer.Managers().Select(static entry => entry.Identity).ShouldBe(managers, ignoreOrder: true, "the blocks should have gone over");
        await FinishAsync(work);
        newer.IsAlive.ShouldBeTrue(newer.Tail);
        (await newer.StopAsync()).ShouldBe(0, newer.Tail);
    });

    private static async Task<Workload> StartWorkAsync(LocalCluster cluster)
    {
        var work = await Workload.StartAsync(cluster, perBatch: 50, window: Window, milliseconds: 10, maxAttempts: 3);
        await work.FlowsAsync();
        return work;
    }

    private static async Task FinishAsync(Workload work) =>
        (await work.FinishAsync(TimeSpan.FromMinutes(2))).GetProperty("acknowledged").GetInt32().ShouldBeGreaterThan(50);
}
