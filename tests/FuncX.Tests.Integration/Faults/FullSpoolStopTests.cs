using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

[Trait(Beside.Name, Beside.Scenarios)]
public sealed class FullSpoolStopTests
{
    private const int Tasks = 14;
    private const int NotStored = 6;

    private static EndpointOptions Small => new() { WorkersPerNode = Tasks, MoreYaml = "limits: {spool: 1MiB}" };

    [LongFact]
    public Task A_stop_without_room_for_results_says_so_waits_for_the_service_and_loses_none() => Scenario.RunAsync(Small, async cluster =>
    {
        var files = await FillAsync(cluster);

        var (exitCode, output) = await StopAsync(cluster, "--timeout", "8");
        exitCode.ShouldBe(NotStored, output);
        output.ShouldContain("results that are stored neither at the service nor in its spool");
        output.ShouldContain("limits.spool");
        cluster.Endpoint.IsAlive.ShouldBeTrue();
        cluster.Endpoint.Managers().Count.ShouldBe(1);

        await cluster.Service.StartAsync();
        await cluster.Endpoint.WaitForExitAsync();
        cluster.Endpoint.ExitCode.ShouldBe(0, cluster.Endpoint.Tail);
        cluster.Endpoint.Managers().ShouldBeEmpty();

        await cluster.Endpoint.StartAsync();
        (await cluster.Api.WaitAsync("spool", Tasks)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value && result.Value.Length == 300_002);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(1, $"{Path.GetFileName(file)} ran more than once");
    });

    [LongFact]
    public Task A_forced_stop_keeps_what_fits_and_says_what_it_lost() => Scenario.RunAsync(Small, async cluster =>
    {
        var files = await FillAsync(cluster);
        (await StopAsync(cluster, "--timeout", "8")).ExitCode.ShouldBe(NotStored);

        var (exitCode, output) = await StopAsync(cluster, "--force");
        exitCode.ShouldBe(NotStored, output);
        output.ShouldContain("11 results that could be stored nowhere");
        await cluster.Endpoint.WaitForExitAsync();
        cluster.Endpoint.ExitCode.ShouldBe(NotStored, cluster.Endpoint.Tail);
        cluster.Endpoint.Tail.ShouldContain("11 results were stored nowhere");
        cluster.Endpoint.Managers().ShouldBeEmpty();

        await cluster.Service.StartAsync();
        await cluster.Endpoint.StartAsync();
        (await cluster.Api.WaitAsync("spool", Tasks)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        Directory.GetFiles(files).Count(static file => File.ReadAllLines(file).Length == 1).ShouldBe(3, "what had room in the spool runs once");
    });

    /// <summary>Kills the service once every task is at the endpoint, and waits until all have run: three results have room in the spool.</summary>
    private static async Task<string> FillAsync(LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(
            "import os, time\ndef big(files, i):\n    while not os.path.exists(files + '.go'):\n        time.sleep(0.01)\n    with open(f'{files}/{i}', 'a') as file:\n        file.write('ran\\n')\n    return 'x' * 300000\n", "big");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "spool", Enumerable.Range(0, Tasks).Select(i => $"[\"{files}\", {i}]")));
        await Eventually.TrueAsync(async () => await DispatchAsync(cluster, "running") == Tasks, "every task is with the manager");
        await cluster.Service.KillAsync();
        await cluster.NoteSaysAsync("no link");
        await File.WriteAllTextAsync($"{files}.go", "");
        await Eventually.TrueAsync(async () => await DispatchAsync(cluster, "completed") == Tasks, "every task has run");
        return files;
    }

    private static async Task<long> DispatchAsync(LocalCluster cluster, string number)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status?.RootElement.GetProperty("dispatch").GetProperty(number).GetInt64() ?? -1;
    }

    private static Task<(int ExitCode, string Output)> StopAsync(LocalCluster cluster, params string[] arguments) => Daemon.RunAsync(
        [Programs.Endpoint, "stop", "--config", cluster.Endpoint.Configuration, .. arguments], Path.Combine(cluster.DirectoryPath, "stop.log"), Eventually.Patience);
}
