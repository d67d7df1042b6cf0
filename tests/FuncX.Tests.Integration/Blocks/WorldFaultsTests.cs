using System.Diagnostics;
using System.Globalization;
using System.Text;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>
/// Each process of a block of MPI worlds is killed or stopped while calls run. Every call has one outcome, its value; the world that was not hit keeps its processes and runs nothing again; the one
/// that was hit is back by itself.
/// </summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class WorldFaultsTests
{
    private const int RanksOfWorld = 2;
    private const int Calls = 80;
    private const int Milliseconds = 100;

    [Theory]
    [InlineData("mpirun")]
    [LongData("mpiexec")]
    public Task Whoever_is_killed_or_stands_still_every_call_has_its_value_and_the_other_world_goes_on(string launcher) => RunAsync(launcher, async cluster =>
    {
        var times = new StringBuilder();
        // Where the launcher ends a world with any of its ranks; the other way below.
        if (launcher == "mpiexec")
            await KillAsync(cluster, "rank", hit: 0, static world => world.Ranks[1], times);
        await KillAsync(cluster, "leader", hit: 1, static world => world.Leader, times);
        await KillAsync(cluster, "launcher", hit: 0, static world => world.Launcher, times);
        Scenario.Note($"worlds-back-{launcher}", $"{launcher}: beside other tests, a world is back after a kill of its{times}");
        await StopRankAsync(cluster);
        await KillAgentAsync(cluster, "agent", launcher, static agent => agent);
        await KillAgentAsync(cluster, "spawner", launcher, RunningWorld.SpawnerOf);
        if (launcher == "mpirun")
            await KillSparedRankAsync(cluster);
    });

    [Theory]
    [InlineData("mpiexec")]
    [LongData("mpirun")]
    public Task A_killed_endpoint_has_its_worlds_back_on_another_port_with_what_they_held_and_a_stranger_on_the_old_one_hears_nothing(string launcher) => RunAsync(launcher, async cluster =>
    {
        var worlds = await WorldsAsync(cluster);
        var agent = RunningWorld.AgentOf(cluster);
        var blocks = await BlocksAsync(cluster);
        var port = cluster.Endpoint.Port;
        var work = await WorldWork.BeginAsync(cluster, "held", 60, Milliseconds);
        await work.RunsOnAsync(worlds);

        await cluster.Endpoint.KillAsync();
        using var stranger = Stranger.On(port);
        await Eventually.TrueAsync(() => work.Executions().All(static execution => execution.Ended), "what had begun ends while the endpoint is dead");
        // The agent and both leaders.
        await Eventually.TrueAsync(() => stranger.Dialled >= 6, "whoever looks for the endpoint finds a stranger", seen: () => $"dialled {stranger.Dialled} times");
        var held = work.Executions();
        await cluster.Endpoint.StartAsync();

        cluster.Endpoint.Port.ShouldNotBe(port);
        // What waited at the endpoint is handed to the next one as a new attempt; what was with the ranks is not.
        var attempts = await work.FinishAsync();
        held.ShouldNotBeEmpty();
        held.ShouldAllBe(execution => attempts[execution.Call] == 1);
        stranger.Heard.ShouldBe(0, "a stranger was told something");
        foreach (var who in (string[])["--block", "leader"])
            Log(cluster).ShouldContain(line => line.Contains(who, StringComparison.Ordinal) && line.Contains("it is not the endpoint that wrote that file", StringComparison.Ordinal), $"nothing of {who}");
        work.Executions().CountBy(static execution => execution.Call).ShouldAllBe(static call => call.Value == 1);
        await SaysAsync(cluster, 2);
        (await BlocksAsync(cluster)).ShouldBe(blocks, "the block was to be adopted, and no second one asked for");
        RunningWorld.AgentOf(cluster).ShouldBe(agent);
        ShouldBeSame(await WorldsAsync(cluster), worlds);

        var files = worlds.SelectMany(static world => world.Files()).ToList();
        if (launcher == "mpirun")
            files.ShouldNotBeEmpty("Open MPI keeps a session and shared memory");
        await cluster.Endpoint.StopAsync();
        files.ShouldAllBe(static file => !Path.Exists(file), "a stopped endpoint's launchers have left files");
    });

    [Theory]
    [InlineData("mpiexec")]
    [LongData("mpirun")]
    public Task A_result_of_100_MB_among_tiny_ones_costs_nobody_a_heartbeat(string launcher) => RunAsync(launcher, async cluster =>
    {
        const int Characters = 100_000_000;
        var tiny = Scenario.Full ? 100_000 : 5_000;
        var worlds = await WorldsAsync(cluster);
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var text = await cluster.Api.RegisterAsync("def text(n):\n    return 'x' * n\n", "text");
        await cluster.Api.SubmitAsync(ServiceApi.Request(text, cluster.EndpointId, "large", [$"[{Characters}]"]));
        var batches = await cluster.SubmitRangeAsync(square, "tiny", tiny);

        (await cluster.Api.WaitAsync("tiny", tiny)).ShouldBeSquares(batches, tiny);
        var large = (await cluster.Api.WaitAsync("large", 1)).Values.Single();
        (large.Outcome, large.Value.Length).ShouldBe((Outcome.Value, Characters + 2));
        large.Value.Span.Trim((byte)'"').ContainsAnyExcept((byte)'x').ShouldBeFalse();

        Log(cluster).ShouldNotContain(static line => line.Contains("not been heard", StringComparison.Ordinal) || line.Contains("heard nothing", StringComparison.Ordinal));
        cluster.Endpoint.Tail.ShouldNotContain("is disconnected");
        ShouldBeSame(await WorldsAsync(cluster), worlds);
    });

    private static Task RunAsync(string launcher, Func<LocalCluster, Task> body) => Scenario.SharingAsync(
        new EndpointOptions
        {
            Nodes = 2 * RanksOfWorld,
            WorkersPerNode = 1,
            Transport = "mpi",
            MoreYaml = $"launcher: {{type: {launcher}, ranks_per_world: {RanksOfWorld}}}",
        },
        async cluster =>
        {
            await cluster.WaitOnlineAsync(2 * RanksOfWorld);
            await body(cluster);
        });

    private static async Task KillAsync(LocalCluster cluster, string name, int hit, Func<RunningWorld, ProcessIdentity> victim, StringBuilder times)
    {
        var worlds = await WorldsAsync(cluster);
        var work = await WorldWork.BeginAsync(cluster, name, Calls, Milliseconds);
        await work.RunsOnAsync(worlds);
        var files = worlds[hit].Files();
        var at = ServiceApi.NowMicroseconds() * 1000;

        victim(worlds[hit]).Kill().ShouldBeTrue();

        await BackAsync(cluster, worlds[hit], hit, times, name);
        work.OthersRanNothingAgain(worlds[1 - hit].Ranks, at, await work.FinishAsync());
        var now = await WorldsAsync(cluster);
        ShouldBeSame([now[1 - hit]], [worlds[1 - hit]]);
        await GoneAsync(worlds[hit], name);
        await Eventually.TrueAsync(() => !files.Any(Path.Exists), $"{name}: no file is left of the world that was hit", seen: () => string.Join(", ", files.Where(Path.Exists)));
        await SaysAsync(cluster, 2);
    }

    // Its processes are there and the endpoint has a manager on each node again.
    private static async Task BackAsync(LocalCluster cluster, RunningWorld before, int hit, StringBuilder times, string name)
    {
        var clock = Stopwatch.StartNew();
        await WorldsAsync(cluster, now => !now[hit].IsSameAs(before));
        await Eventually.TrueAsync(async () => await BlockWork.FigureAsync(cluster, "managers") == 2 * RanksOfWorld, $"{name}: a manager is on each node again");
        times.Append(CultureInfo.InvariantCulture, $" {name} {clock.Elapsed.TotalSeconds:F1} s");
    }

    // Longer than a rank lives without hearing its leader: its own standstill is no silence of the leader's. Its worker is not stopped: what that has computed meanwhile comes when the rank
    // goes on, as late results of tasks that have run elsewhere.
    private static async Task StopRankAsync(LocalCluster cluster)
    {
        const string Name = "stopped";
        var worlds = await WorldsAsync(cluster);
        var stopped = worlds[1].Ranks[1];
        var work = await WorldWork.BeginAsync(cluster, Name, Calls, Milliseconds);
        await work.RunsOnAsync(worlds);
        var at = ServiceApi.NowMicroseconds() * 1000;
        stopped.Stop().ShouldBeTrue();
        var clock = Stopwatch.StartNew();
        try
        {
            work.OthersRanNothingAgain(worlds[0].Ranks, at, await work.FinishAsync());
            await Eventually.TrueAsync(() => clock.Elapsed > TimeSpan.FromSeconds(11), "the rank has been stopped for longer than it would live without a leader");
        }
        finally
        {
            stopped.Continue();
        }

        await Eventually.TrueAsync(() => Log(cluster).Any(static line => line.Contains("is heard again", StringComparison.Ordinal)), "the leader hears the rank again");
        (await cluster.Api.GroupAsync(Name)).Done.ShouldBe(Calls);
        ShouldBeSame(await WorldsAsync(cluster), worlds);
        // Its manager is given work again.
        var more = await WorldWork.BeginAsync(cluster, "continued", Calls, Milliseconds);
        await more.RunsOnAsync(worlds);
        await more.FinishAsync();
    }

    // With the agent, or with the spawner that it ends by, its worlds end, and so the block: another takes its place.
    private static async Task KillAgentAsync(LocalCluster cluster, string name, string launcher, Func<ProcessIdentity, ProcessIdentity> victim)
    {
        var worlds = await WorldsAsync(cluster);
        var agent = RunningWorld.AgentOf(cluster);
        var work = await WorldWork.BeginAsync(cluster, name, Calls, Milliseconds);
        await work.RunsOnAsync(worlds);
        var files = worlds.SelectMany(static world => world.Files()).ToList();

        victim(agent).Kill().ShouldBeTrue();

        if (name == "spawner")
        {
            await Eventually.TrueAsync(() => !agent.IsAlive, "the agent goes after its spawner");
            worlds.ShouldAllBe(static world => !world.Launcher.IsAlive, "a launcher has outlived its agent");
        }

        var attempts = await work.FinishAsync();
        // An agent that ends by itself lets tasks end.
        if (name == "agent")
            attempts.Values.ShouldContain(static count => count > 1, "nothing was lost: nothing was shown");
        await WorldsAsync(cluster, now => now.Zip(worlds).All(static pair => !pair.First.IsSameAs(pair.Second)));
        foreach (var world in worlds)
            await GoneAsync(world, name);
        agent.IsAlive.ShouldBeFalse();
        RunningWorld.AgentOf(cluster).ShouldNotBe(agent);
        // Its launchers were killed with it: what they kept the next agent removes.
        if (launcher == "mpirun")
            files.ShouldAllBe(static file => !Path.Exists(file), $"{name}: files are left of Open MPI");
        foreach (var file in files.Where(Path.Exists))
        {
            if (Directory.Exists(file))
                Directory.Delete(file, recursive: true);
            else
                File.Delete(file);
        }
    }

    // Open MPI's launcher lets the others live: they go on with what they do, and the node of the one that was killed goes on as a world of its own. What is left begins anew when its leader goes.
    private static async Task KillSparedRankAsync(LocalCluster cluster)
    {
        const string Name = "spared";
        var worlds = await WorldsAsync(cluster);
        var killed = worlds[0].Ranks[1];
        var spared = worlds.SelectMany(static world => world.Ranks).Where(rank => rank != killed).ToList();
        var work = await WorldWork.BeginAsync(cluster, Name, Calls, Milliseconds);
        await work.RunsOnAsync(worlds);
        var at = ServiceApi.NowMicroseconds() * 1000;

        killed.Kill().ShouldBeTrue();

        work.OthersRanNothingAgain(spared, at, await work.FinishAsync());
        await SaysAsync(cluster, 3);
        await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.Managers == 2 * RanksOfWorld, "a manager is on every node again");
        spared.ShouldAllBe(static rank => rank.IsAlive, "a rank was to be spared");
        Log(cluster).ShouldContain(static line => line.Contains("was killed: its node goes on as world", StringComparison.Ordinal));

        worlds[0].Leader.Kill().ShouldBeTrue();
        await Eventually.TrueAsync(() => RunningWorld.Of(cluster, ranks: 1) is [var rest, _] && rest.Name == worlds[0].Name && rest.Leader != worlds[0].Leader, "what was left of the world has begun anew");
        await GoneAsync(worlds[0], Name);
        var more = await WorldWork.BeginAsync(cluster, "after", Calls, Milliseconds);
        await more.FinishAsync();
    }

    private static async Task<IReadOnlyList<RunningWorld>> WorldsAsync(LocalCluster cluster, Func<IReadOnlyList<RunningWorld>, bool>? are = null)
    {
        IReadOnlyList<RunningWorld> worlds = [];
        await Eventually.TrueAsync(
            () => (worlds = RunningWorld.Of(cluster, RanksOfWorld)).Count == 2 && (are is null || are(worlds)), "two worlds run", seen: () => string.Join("; ", worlds));
        return worlds;
    }

    private static void ShouldBeSame(IReadOnlyList<RunningWorld> now, IReadOnlyList<RunningWorld> before) =>
        now.SelectMany(static world => world.Processes).ShouldBe(before.SelectMany(static world => world.Processes), "a world that was not hit has other processes");

    private static Task GoneAsync(RunningWorld world, string name) => Eventually.TrueAsync(
        () => !world.Processes.Any(static process => process.IsAlive), $"{name}: nothing is left of the world that was hit", seen: () => string.Join(", ", world.Processes.Where(static process => process.IsAlive)));

    private static Task SaysAsync(LocalCluster cluster, int running) => Eventually.TrueAsync(
        async () =>
        {
            using var status = await cluster.Endpoint.StatusAsync();
            return status?.RootElement.GetProperty("dispatch").GetProperty("worlds_running").GetInt32() == running;
        },
        $"the endpoint says that {running} worlds run");

    private static async Task<string> BlocksAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return string.Join(' ', status!.RootElement.GetProperty("blocks").EnumerateArray().Select(static block => $"{block.GetProperty("block")} {block.GetProperty("job")}"));
    }

    private static List<string> Log(LocalCluster cluster) => [.. Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, "node-*.log", SearchOption.AllDirectories).SelectMany(File.ReadLines)];
}
