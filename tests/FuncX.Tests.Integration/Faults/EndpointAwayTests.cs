using System.Diagnostics;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

[Trait(Beside.Name, Beside.Scenarios)]
public sealed class EndpointAwayTests
{
    [LongFact]
    public Task Tasks_wait_for_an_endpoint_that_is_offline_and_run_when_it_is_back() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        var endpoint = cluster.EndpointId;
        (await cluster.Endpoint.StopAsync()).ShouldBe(0);
        await Eventually.TrueAsync(async () => !(await cluster.Api.EndpointAsync(endpoint)).Online, "the service sees that the endpoint is offline");
        var batches = await cluster.SubmitRangeAsync(function, "offline", 500, perBatch: 100);
        (await cluster.Api.GroupAsync("offline")).Queued.ShouldBe(500);

        await cluster.Endpoint.StartAsync();

        cluster.EndpointId.ShouldBe(endpoint);
        (await cluster.Api.WaitAsync("offline", 500)).ShouldBeSquares(batches, 500, perBatch: 100);
    });

    [Fact]
    public Task A_killed_endpoint_gets_its_running_blocks_back_on_another_port_and_nothing_finished_runs_again() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        var manager = cluster.Endpoint.Managers().Single().Identity;
        var port = cluster.Endpoint.Port;
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "touch", Enumerable.Range(0, 60).Select(i => $"[\"{files}\", {i}, 0.1]")));
        await Eventually.TrueAsync(() => Directory.GetFiles(files).Length >= 4, "tasks run");

        await cluster.Endpoint.KillAsync();
        await Eventually.TrueAsync(
            () => Directory.GetFiles(files).All(static file => File.ReadAllLines(file).Length == 2), "what had started ends while the endpoint is dead");
        using var held = HoldPort(port);
        await cluster.Endpoint.StartAsync();

        cluster.Endpoint.Port.ShouldNotBe(port);
        (await cluster.Api.WaitAsync("touch", 60)).ShouldBeIndexes(60);
        manager.IsAlive.ShouldBeTrue("the block's manager should have lived on");
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(2, $"{Path.GetFileName(file)} ran more than once");
    });

    [LongFact]
    public Task An_endpoint_killed_five_times_costs_queued_tasks_nothing() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        // The first ones hold the workers for longer than the endpoint lives; the others wait behind them.
        var held = Enumerable.Range(0, 2).Select(i => $"[\"{files}\", {i}, 8]");
        var queued = Enumerable.Range(2, 50).Select(i => $"[\"{files}\", {i}, 0]");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "killed", held.Concat(queued)));
        for (var kill = 0; kill < 5; kill++)
        {
            await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("killed")).Dispatched >= 50, "the tasks are at the endpoint");
            await cluster.Endpoint.KillAsync();
            await cluster.Endpoint.StartAsync();
        }

        (await cluster.Api.WaitAsync("killed", 52)).ShouldBeIndexes(52);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(2, $"{Path.GetFileName(file)} ran more than once");
    });

    [Fact]
    public Task Results_made_while_the_service_is_away_are_spooled_and_arrive_when_it_is_back() => Scenario.RunAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "away", Enumerable.Range(0, 100).Select(i => $"[\"{files}\", {i}, 0.02]")));
        await Eventually.TrueAsync(() => Directory.GetFiles(files).Length >= 3, "tasks run");

        await cluster.Service.KillAsync();
        await Eventually.TrueAsync(() => Directory.GetFiles(files).Length == 100, "every task runs while the service is away");
        await Eventually.TrueAsync(() => DispatchAsync(cluster, static numbers => numbers.GetProperty("running").GetInt64() == 0 && numbers.GetProperty("queued").GetInt64() == 0
            && numbers.GetProperty("results_held").GetInt64() == 0 && numbers.GetProperty("spool_bytes").GetInt64() > 0), "every result is in the spool");
        // Nobody else has them: the managers, which were told to forget them, are gone too.
        var managers = cluster.Endpoint.Managers();
        await cluster.Endpoint.KillAsync();
        foreach (var manager in managers)
            manager.Identity.Kill();
        await cluster.Endpoint.StartAsync();
        await cluster.Service.StartAsync();

        (await cluster.Api.WaitAsync("away", 100)).ShouldBeIndexes(100);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(2, $"{Path.GetFileName(file)} ran more than once");
    });

    [LongFact]
    public Task Of_two_processes_on_one_state_directory_the_newer_link_wins_and_the_older_stops() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        var older = cluster.Endpoint;
        await using var newer = new EndpointProcess(
            older.Configuration, older.StateDirectory, cluster.TokenFile, Path.Combine(cluster.DirectoryPath, "newer.log"));

        await newer.BeginAsync();
        var clock = Stopwatch.StartNew();
        await older.WaitForExitAsync(TimeSpan.FromSeconds(30));

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30));
        older.ExitCode.ShouldNotBe(0);
        older.Tail.ShouldContain("superseded", Case.Insensitive);
        newer.IsAlive.ShouldBeTrue(newer.Tail);
        var batches = await cluster.SubmitRangeAsync(function, "after", 100);
        (await cluster.Api.WaitAsync("after", 100)).ShouldBeSquares(batches, 100);
        (await newer.StopAsync()).ShouldBe(0, newer.Tail);
    });

    private static async Task<bool> DispatchAsync(LocalCluster cluster, Func<System.Text.Json.JsonElement, bool> question)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status is not null && question(status.RootElement.GetProperty("dispatch"));
    }

    /// <summary>Occupies the port when the dead endpoint's is free, so that the next one cannot have it.</summary>
    private static System.Net.Sockets.Socket HoldPort(int port)
    {
        var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        socket.SetSocketOption(System.Net.Sockets.SocketOptionLevel.Socket, System.Net.Sockets.SocketOptionName.ReuseAddress, true);
        socket.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, port));
        return socket;
    }

    [Fact]
    public Task The_endpoints_status_says_why_it_has_no_link_as_long_as_it_has_none() => Scenario.RunAsync(async cluster =>
    {
        await cluster.NoteSaysAsync("");

        await cluster.Service.KillAsync();
        await cluster.NoteSaysAsync("no link to the service: ");

        await cluster.Service.StartAsync();
        await cluster.NoteSaysAsync("");
    });

    [LongFact]
    public async Task A_proxy_in_the_environment_is_not_asked_for_a_service_on_this_machine() => await Scenario.SharingAsync(
        new EndpointOptions(),
        async cluster =>
        {
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            var group = SharedCluster.NewGroup();
            await cluster.SubmitRangeAsync(square, group, 3);
            (await cluster.Api.WaitAsync(group, 3)).Values.Select(static result => result.Text).Order().ShouldBe(["11", "7", "8"]);
        },
        // Port 9 is discard's: nobody answers there.
        endpointEnvironment: new Dictionary<string, string?>(StringComparer.Ordinal) { ["http_proxy"] = "http://127.0.0.1:9", ["all_proxy"] = "http://127.0.0.1:9" });
}
