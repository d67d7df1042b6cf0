using System.Globalization;
using System.Text.Json;
using FuncX.Client;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>
/// The client that users have, <c>MapAsync</c> of the SDK and <c>funcx map</c>, while other processes are killed with SIGKILL and started again, and killed
/// itself. No worker dies of any of it: each call runs exactly once, by the files that calls leave.
/// </summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class MapUnderFaultsTests
{
    private static readonly int Calls = Scenario.Full ? 20_000 : 6_000;

    /// <summary>So few that most calls are still to be submitted at each kill.</summary>
    private static readonly int Window = Calls / 15;

    /// <summary>Values that come between two kills.</summary>
    private static readonly int Step = Calls / 20;

    [Theory]
    [LongData(true)]
    [InlineData(false)]
    public Task A_map_gives_each_value_once_while_service_and_endpoint_are_killed_in_turn(bool ordered) => Scenario.RunAsync(async cluster =>
    {
        var work = new TracedWork(cluster, "map");
        var function = new FunctionId(await cluster.Api.RegisterAsync(Python.Work, "work"));
        var endpoint = new EndpointId(cluster.EndpointId);
        var options = new MapOptions { Ordered = ordered, Window = Window, Group = SharedCluster.NewGroup() };
        await using var client = new FuncXClient(new Uri(cluster.Service.Address), (await File.ReadAllTextAsync(cluster.Service.AdminTokenFile)).Trim());
        var values = new List<long>(Calls);
        var received = 0;
        var map = Task.Run(async () =>
        {
            var arguments = Enumerable.Range(0, Calls).Select(number => CallArguments.Of(work.DirectoryPath, number, 0));
            await foreach (var value in client.MapAsync<CallArguments, long>(function, endpoint, arguments, options))
            {
                values.Add(value);
                Volatile.Write(ref received, values.Count);
            }
        });

        for (var kill = 0; kill < (Scenario.Full ? 6 : 4); kill++)
        {
            var next = Volatile.Read(ref received) + Step;
            await InFlightAsync(cluster, options.Group, () => Volatile.Read(ref received) >= next, () => map.IsCompleted);
            // One that has failed says more than that it is over.
            if (map.IsFaulted)
                await map;
            await RestartAsync(cluster, service: kill % 2 == 0);
        }

        await map.WaitAsync(TimeSpan.FromMinutes(3));
        if (!ordered)
            values.Sort();
        TracedWork.AreValuesInOrder(values, Calls);
        work.EachRanOnce(Calls);
        var group = await cluster.Api.GroupAsync(options.Group);
        (group.Tasks, group.Done, group.Failed).ShouldBe((Calls, Calls, 0), "a batch was accepted twice");
    });

    [Fact]
    public Task The_map_command_prints_every_value_and_exits_0_though_the_service_was_killed_twice() => Scenario.RunAsync(async cluster =>
    {
        var work = new TracedWork(cluster, "map");
        var group = SharedCluster.NewGroup();
        await using var map = await StartMapAsync(cluster, work, Calls, group);
        for (var kill = 0; kill < 2; kill++)
        {
            var next = map.Output.Count + Step;
            await InFlightAsync(cluster, group, () => map.Output.Count >= next, () => map.HasExited);
            await RestartAsync(cluster, service: true);
        }

        await map.WaitAsync(TimeSpan.FromMinutes(3));
        map.ExitCode.ShouldBe(0, map.ToString());
        TracedWork.AreValuesInOrder([.. map.Output.Select(static line => long.Parse(line, CultureInfo.InvariantCulture))], Calls);
        work.EachRanOnce(Calls);
    });

    [Fact]
    public Task What_a_killed_map_command_had_submitted_runs_on_and_is_waited_for_and_read_by_its_group() => Scenario.RunAsync(async cluster =>
    {
        const int Printed = 1_500;
        var work = new TracedWork(cluster, "map");
        var group = SharedCluster.NewGroup();
        await using (var map = await StartMapAsync(cluster, work, Calls, group))
        {
            // A message has up to 512 results.
            await InFlightAsync(cluster, group, () => map.Output.Count >= Printed, () => map.HasExited);
            await map.KillAsync();
            // How a user knows where to go on.
            map.Errors.ShouldContain($"group {group}");
        }

        await CliProcess.RunAsync(cluster, 0, "group", "wait", group);
        var lines = await CliProcess.RunAsync(cluster, 0, "group", "results", group);

        var counts = await cluster.Api.GroupAsync(group);
        var tasks = (int)counts.Tasks;
        (counts.Done, counts.Failed, counts.Queued, counts.Dispatched).ShouldBe((tasks, 0, 0, 0));
        tasks.ShouldBeInRange(Printed, Calls - 1, "the map was to be killed in the middle");
        var results = lines.Select(static line => JsonSerializer.Deserialize<JsonElement>(line)).ToList();
        results.Select(static result => result.GetProperty("task").GetString()).Distinct().Count().ShouldBe(tasks);
        // Its lines went in order, so these are the first ones of the file.
        TracedWork.AreValuesInOrder([.. results.Select(static result => result.GetProperty("value").GetInt64()).Order()], tasks);
        work.EachRanOnce(tasks);

        // A reader of the results that was killed goes on with the cursor of the last line it had: all after it, and of those before it only what came in one message.
        var seen = tasks / 2;
        var rest = await RestAsync(results[seen - 1]);
        rest.Count.ShouldBeInRange(tasks - seen, tasks - 1, "results are left out, or all come again");
        rest.ShouldBe(lines.TakeLast(rest.Count).Select(TaskOf));
        (await RestAsync(results[^1])).ShouldBeEmpty();

        async Task<List<string>> RestAsync(JsonElement last) =>
            [.. (await CliProcess.RunAsync(cluster, 0, "group", "results", group, "--cursor", $"{last.GetProperty("cursor").GetUInt64()}")).Select(TaskOf)];

        static string TaskOf(string line) => JsonSerializer.Deserialize<JsonElement>(line).GetProperty("task").GetString()!;
    });

    private static async Task<CliProcess> StartMapAsync(LocalCluster cluster, TracedWork work, int calls, string group)
    {
        var function = await cluster.Api.RegisterAsync(Python.Work, "work");
        var file = Path.Combine(cluster.DirectoryPath, "calls.jsonl");
        await File.WriteAllLinesAsync(file, Enumerable.Range(0, calls).Select(number => $"[\"{work.DirectoryPath}\",{number},0]"));
        return CliProcess.Start(cluster, "map", function, cluster.EndpointId, file, "--window", $"{Window}", "--group", group);
    }

    /// <summary>Waits until so much has come back and more is in flight at service and endpoint.</summary>
    private static async Task InFlightAsync(LocalCluster cluster, string group, Func<bool> enough, Func<bool> over)
    {
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                if (over() || !enough())
                    return over();
                try
                {
                    var counts = await cluster.Api.GroupAsync(group);
                    seen = counts.ToString();
                    return counts.Dispatched > 0;
                }
                catch (Grpc.Core.RpcException away)
                {
                    seen = away.Status.ToString();
                    return false;
                }
            },
            "values come while tasks are in flight",
            TimeSpan.FromMinutes(2),
            () => seen);
        Scenario.Note("map", seen);
    }

    private static async Task RestartAsync(LocalCluster cluster, bool service)
    {
        if (service)
        {
            await cluster.Service.KillAsync();
            await cluster.Service.StartAsync();
        }
        else
        {
            await cluster.Endpoint.KillAsync();
            await cluster.Endpoint.StartAsync();
        }
    }
}
