using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Blocks whose managers are ranks of MPI worlds: agent, launcher, leader and ranks are real, under both MPIs.</summary>
public sealed class WorldBlocksTests
{
    private const int Ranks = 4;

    [Theory]
    [InlineData("mpirun")]
    [LongData("mpiexec")]
    public Task Functions_run_on_ranks_of_two_worlds_and_a_world_that_dies_comes_back(string launcher) => Scenario.SharingAsync(
        new EndpointOptions
        {
            Nodes = Ranks,
            WorkersPerNode = 1,
            Transport = "mpi",
            MoreYaml = $"launcher: {{type: {launcher}, ranks_per_world: 2}}",
        },
        async cluster =>
        {
            await cluster.WaitOnlineAsync(Ranks);
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await RunAsync(cluster, square, "first", 2_000);

            // One agent and no manager of its own; two worlds of two ranks, each behind one leader.
            var worlds = Worlds(cluster);
            worlds.Count.ShouldBe(Ranks);
            await SaysAsync(cluster, static status => status.GetProperty("worlds_running").GetInt32() == 2, "two worlds run");

            // An agent and a leader that know everything but the secret are told so, and change nothing.
            await StrangersAsync(cluster);

            // The leader of one is killed while calls run: its world comes back, the other goes on, and every call has its value.
            var leader = worlds.First(static rank => rank.Arguments.Any(static word => word.EndsWith("world-1", StringComparison.Ordinal)));
            await cluster.SubmitRangeAsync(square, "second", 2_000);
            System.Diagnostics.Process.GetProcessById(leader.Pid).Kill();
            await WaitAsync(cluster, "second", 2_000);
            await cluster.WaitOnlineAsync(Ranks);
            await SaysAsync(cluster, static status => status.GetProperty("worlds_running").GetInt32() == 2, "the world is back");
            await RunAsync(cluster, square, "third", 500);
        });

    [Fact]
    public Task Simulated_workers_wait_as_long_as_a_call_says_and_one_rank_is_many_managers() => Scenario.SharingAsync(
        new EndpointOptions
        {
            Nodes = 2,
            WorkersPerNode = 64,
            Transport = "mpi",
            MoreWorkers = "simulate: true, managers_per_node: 8",
            MoreYaml = "launcher: {type: mpirun}",
        },
        async cluster =>
        {
            await cluster.WaitOnlineAsync(16);
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            var info = await cluster.Api.EndpointAsync(cluster.EndpointId);
            (info.Status.Managers, info.Status.Workers).ShouldBe((16, 16 * 64));

            // A thousand calls of a second on a thousand workers: they are at work together, so the last has ended long before two had been done by each.
            var begun = System.Diagnostics.Stopwatch.GetTimestamp();
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "second", Enumerable.Repeat("[1.0, 0]", 1_000)));
            var results = await cluster.Api.WaitAsync("second", 1_000);
            results.Count.ShouldBe(1_000);
            System.Diagnostics.Stopwatch.GetElapsedTime(begun).TotalSeconds.ShouldBeGreaterThan(1);
            foreach (var task in (await cluster.Api.ListAsync("second")).Take(100))
                (task.Times.WorkerEnded - task.Times.WorkerStarted).ShouldBeGreaterThanOrEqualTo(999_000);
        });

    [LongFact]
    public Task A_leader_that_is_to_keep_no_workers_is_no_manager_and_none_is_waited_for() => Scenario.SharingAsync(
        new EndpointOptions
        {
            Nodes = 3,
            WorkersPerNode = 2,
            Transport = "mpi",
            MoreYaml = "launcher: {type: mpirun, leader_only: true}",
        },
        async cluster =>
        {
            await cluster.WaitOnlineAsync(2);
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await RunAsync(cluster, square, "some", 500);
           Worlds(cluster).Count(static rank => rank.Arguments.Contains("--leader-only")).ShouldBe(3);
            var status = (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status;
            (status.Managers, status.Workers).ShouldBe((2, 4));
            // The next process of this endpoint does not wait for a third.
            var file = Directory.EnumerateFiles(Path.Combine(cluster.Endpoint.StateDirectory, "blocks"), "block.json", SearchOption.AllDirectories).ShouldHaveSingleItem();
            using var block = System.Text.Json.JsonDocument.Parse(await File.ReadAllBytesAsync(file));
            block.RootElement.GetProperty("missing").GetInt32().ShouldBe(1);
        });

    // The programs themselves, with the rendezvous file of the one block but for a digit of its secret.
    private static async Task StrangersAsync(LocalCluster cluster)
    {
        var worlds = Pids(cluster);
        var file = Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, "rendezvous.json", SearchOption.AllDirectories).ShouldHaveSingleItem();
        var text = await File.ReadAllTextAsync(file);
        var secret = System.Text.Json.Nodes.JsonNode.Parse(text)!["secret"]!.GetValue<string>();
        var wrong = Path.Combine(cluster.DirectoryPath, "wrong.json");
        await File.WriteAllTextAsync(wrong, text.Replace(secret, secret[..^1] + (secret[^1] == '0' ? '1' : '0'), StringComparison.Ordinal));
        File.SetUnixFileMode(wrong, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        foreach (var role in (string[][])[["--block", "--hosts", "localhost"], ["--world", "--ranks", "1"]])
        {
            var directory = Directory.CreateDirectory(Path.Combine(cluster.DirectoryPath, $"stranger{role[0]}")).FullName;
            await using var stranger = Daemon.Start(
                [Contracts.Programs.Manager, .. role, "--rendezvous", wrong, "--directory", directory], directory + ".log",
                new Dictionary<string, string?>(StringComparer.Ordinal) { ["FUNCX_MPI_LIBRARY"] = "libmpich.so.12" });
            await Eventually.TrueAsync(() => stranger.Tail.Contains("the secret is not that of block", StringComparison.Ordinal), $"a stranger with {role[0]} is refused", seen: () => stranger.Tail);
            await stranger.StopAsync();
        }

        await SaysAsync(cluster, static status => (status.GetProperty("worlds_running").GetInt32(), status.GetProperty("managers").GetInt32()) == (2, Ranks), "two worlds run");
        Pids(cluster).ShouldBe(worlds);
    }

    private static IEnumerable<int> Pids(LocalCluster cluster) => Worlds(cluster).Select(static rank => rank.Pid).Order().ToList();

    private static List<ProcessEntry> Worlds(LocalCluster cluster) =>
        [.. ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Where(static entry => entry.Arguments.Contains("--world") && entry.Arguments[0].EndsWith("funcx-manager", StringComparison.Ordinal))];

    private static async Task RunAsync(LocalCluster cluster, string function, string group, int count)
    {
        await cluster.SubmitRangeAsync(function, group, count);
        await WaitAsync(cluster, group, count);
    }

    private static async Task WaitAsync(LocalCluster cluster, string group, int count)
    {
        var results = await cluster.Api.WaitAsync(group, count);
        results.Values.Select(static result => long.Parse(result.Text, System.Globalization.CultureInfo.InvariantCulture)).Order().ShouldBe(Enumerable.Range(0, count).Select(static i => ((long)i * i) + 7));
    }

    private static Task SaysAsync(LocalCluster cluster, Func<System.Text.Json.JsonElement, bool> what, string name) => Eventually.TrueAsync(
        async () =>
        {
            using var status = await cluster.Endpoint.StatusAsync();
            return status is not null && what(status.RootElement.GetProperty("dispatch"));
        },
        name);
}
