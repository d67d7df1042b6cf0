using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
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
    [LongData(false)]
    public Task A_map_gives_each_value_once_while_service_and_endpoint_are_killed_in_turn(bool ordered) => Scenario.RunAsync(async cluster =>
    {
        var work = new TracedWork(cluster, "map");
        var function = new FunctionId(await cluster.Api.RegisterAsync(Python.Work, "work"));
        var endpoint = new EndpointId(cluster.EndpointId);
        var options = new MapOptions { Ordered = ordered, Window = Window, Group = SharedCluster.NewGroup() };
        await using var client = new FuncXClient(new Uri(cluster.Service.Address), (await File.ReadAllTextAsync(cluster.TokenFile)).Trim());
        var values = new List<long>(Calls);
        var received = 0;
        var numbers = Channel.CreateUnbounded<int>();
        var calls = new HeldBack(number => numbers.Writer.WriteAsync(number), () => numbers.Writer.Complete());
        var map = Task.Run(async () =>
        {
            var arguments = numbers.Reader.ReadAllAsync().Select(number => CallArguments.Of(work.DirectoryPath, number, 0));
            await foreach (var value in client.MapAsync<CallArguments, long>(function, endpoint, arguments, options))
            {
                values.Add(value);
                Volatile.Write(ref received, values.Count);
            }
        });

        await calls.GiveMostAsync();
        for (var kill = 0; kill < (Scenario.Full ? 6 : 4); kill++)
        {
            var next = Volatile.Read(ref received) + Step;
            await InFlightAsync(cluster, options.Group, calls, () => Volatile.Read(ref received) >= next, () => map.IsCompleted ? $"{map.Status} {map.Exception}" : null);
            await RestartAsync(cluster, service: kill % 2 == 0);
        }

        await calls.GiveRestAsync();
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
        await using var map = await StartMapAsync(cluster, group);
        var calls = Input(map, work);
        await calls.GiveMostAsync();
        for (var kill = 0; kill < 2; kill++)
        {
            var next = map.Output.Count + Step;
            await InFlightAsync(cluster, group, calls, () => map.Output.Count >= next, () => map.HasExited ? map.ToString() : null);
            await RestartAsync(cluster, service: true);
        }

        await calls.GiveRestAsync();
        await map.WaitAsync(TimeSpan.FromMinutes(3));
        map.ExitCode.ShouldBe(0, map.ToString());
        TracedWork.AreValuesInOrder([.. map.Output.Select(static line => long.Parse(line, CultureInfo.InvariantCulture))], Calls);
        work.EachRanOnce(Calls);
    });

    [LongFact]
    public Task What_a_killed_map_command_had_submitted_runs_on_and_is_waited_for_and_read_by_its_group() => Scenario.RunAsync(async cluster =>
    {
        const int Printed = 1_500;
        var work = new TracedWork(cluster, "map");
        var group = SharedCluster.NewGroup();
        int given;
        await using (var map = await StartMapAsync(cluster, group))
        {
            var calls = Input(map, work);
            await calls.GiveMostAsync();
            // A message has up to 512 results.
            await InFlightAsync(cluster, group, calls, () => map.Output.Count >= Printed, () => map.HasExited ? map.ToString() : null);
            given = calls.Given;
            await map.KillAsync();
            // How a user knows where to go on.
            map.Errors.ShouldContain($"group {group}");
        }

        await CliProcess.RunAsync(cluster, 0, "group", "wait", group);
        var lines = await CliProcess.RunAsync(cluster, 0, "group", "results", group);

        var counts = await cluster.Api.GroupAsync(group);
        var tasks = (int)counts.Tasks;
        (counts.Done, counts.Failed, counts.Queued, counts.Dispatched).ShouldBe((tasks, 0, 0, 0));
        tasks.ShouldBeInRange(Printed, given);
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

    private static async Task<CliProcess> StartMapAsync(LocalCluster cluster, string group)
    {
        var function = await cluster.Api.RegisterAsync(Python.Work, "work");
        return CliProcess.StartWithInput(cluster, "map", function, cluster.EndpointId, "-", "--window", $"{Window}", "--group", group);
    }

    private static HeldBack Input(CliProcess map, TracedWork work) =>
        new(number => new ValueTask(map.Input.WriteLineAsync($"[\"{work.DirectoryPath}\",{number},0]")), map.Input.Close);

    /// <summary>Waits until so much has come back and more is in flight at service and endpoint. A map that ends before is a failure: the kill would hit nothing.</summary>
    private static async Task InFlightAsync(LocalCluster cluster, string group, HeldBack calls, Func<bool> enough, Func<string?> ended)
    {
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                if (ended() is { } how)
                    throw new InvalidOperationException($"the map ended before the kill: {how}; seen: {seen}");
                try
                {
                    var counts = await cluster.Api.GroupAsync(group);
                    seen = counts.ToString();
                    if (counts.Dispatched > 0 && enough())
                        return true;
                    if (counts.Done == calls.Given)
                        await calls.GiveMoreAsync();
                }
                catch (Grpc.Core.RpcException away)
                {
                    seen = away.Status.ToString();
                }

                return false;
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

    /// <summary>The calls of a map, of which some are left until its kills are over, however fast it is.</summary>
    private sealed class HeldBack(Func<int, ValueTask> give, Action end)
    {
        public int Given { get; private set; }

        public Task GiveMostAsync() => GiveAsync(Calls * 2 / 3);

        /// <summary>Everything given so far is done.</summary>
        public Task GiveMoreAsync()
        {
            Given.ShouldBeLessThan(Calls, "all calls are done and the kills are not");
            return GiveAsync(Given + Step);
        }

        public async Task GiveRestAsync()
        {
            await GiveAsync(Calls);
            end();
        }

        private async Task GiveAsync(int upTo)
        {
            while (Given < Math.Min(upTo, Calls))
                await give(Given++);
        }
    }
}
