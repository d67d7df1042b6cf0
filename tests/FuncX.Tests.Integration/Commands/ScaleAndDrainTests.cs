using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary><c>funcx-endpoint scale</c> and <c>drain</c>, and the log of who ran what.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class ScaleAndDrainTests : IDisposable
{
    private readonly string _home = LocalCluster.NewDirectory("scale");

    [Fact]
    public Task Blocks_are_as_many_as_were_ordered_until_the_demand_decides_again() => Scenario.SharingAsync(
        new EndpointOptions { Blocks = 2, BlockIdle = TimeSpan.FromSeconds(60), WorkersPerNode = 1 }, async cluster =>
        {
            var file = cluster.Endpoint.Configuration;
            (await RunAsync("scale", "2", "--config", file)).ShouldEnd(0).Output.ShouldBe("endpoint 'test': 2 blocks from now on\n");
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 2, "two blocks without any demand");
            using (var status = await cluster.Endpoint.StatusAsync())
                status!.RootElement.GetProperty("dispatch").GetProperty("scale").GetString().ShouldBe("2");
            (await RunAsync("scale", "3", "--config", file)).ShouldEnd(1, "blocks is '3'; it must be auto, or 0 to 2 (blocks.max");
            (await RunAsync("scale", "many", "--config", file)).ShouldEnd(1, "blocks is 'many'");

            // What runs finishes, on a block that takes nothing else.
            var function = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
            var go = Path.Combine(cluster.DirectoryPath, "go");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", [$"[\"{go}\", 5]"]));
            await Eventually.TrueAsync(() => File.Exists(go + ".waits"), "the task runs");
            (await RunAsync("scale", "0", "--config", file)).ShouldEnd(0);
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 1, "the block without work ends at once");
            (await FigureAsync(cluster, "blocks_draining")).ShouldBe(1);
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "later", ["[\"\", 6]"]));
            await File.WriteAllTextAsync(go, "");
            (await cluster.Api.WaitAsync("held", 1)).Values.Single().ShouldHaveValue("5");
            (await cluster.Api.ListAsync("held")).Single().Attempts.ShouldBe(1u);
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 0, "the other ends once it has nothing to do");
            await cluster.NoteSaysAsync("none is wanted since `scale 0`");

            (await RunAsync("scale", "auto", "--config", file)).ShouldEnd(0).Output.ShouldContain("follow the demand");
            (await cluster.Api.WaitAsync("later", 1)).Values.Single().ShouldHaveValue("6");
            await cluster.Endpoint.StopAsync();
            (await RunAsync("scale", "1", "--config", file)).ShouldEnd(3, "endpoint 'test' is not running");
        });

    [Fact]
    public Task A_drain_interrupts_nothing_gives_back_what_waits_and_ends_with_the_last_task() => Scenario.SharingAsync(
        new EndpointOptions { WorkersPerNode = 1 }, async cluster =>
        {
            var file = cluster.Endpoint.Configuration;
            var function = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
            var go = Path.Combine(cluster.DirectoryPath, "go");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", [$"[\"{go}\", 5]", .. Enumerable.Range(10, 20).Select(static i => $"[\"\", {i}]")]));
            await Eventually.TrueAsync(() => File.Exists(go + ".waits"), "the first task runs");

            (await RunAsync("drain", "--no-wait", "--config", file)).ShouldEnd(0).Output.ShouldContain("drains: ");
            using (var status = await cluster.Endpoint.StatusAsync())
                status!.RootElement.GetProperty("state").GetString().ShouldBe("draining");
            await Eventually.TrueAsync(async () => await FigureAsync(cluster, "queued") == 0, "what waited has gone back");
            await cluster.NoteSaysAsync("it takes no others and stops after them");
            var said = Path.Combine(_home, "drain.log");
            await using (var draining = Daemon.Start([Contracts.Programs.Endpoint, "drain", "--config", file], said))
            {
                await Eventually.TrueAsync(() => File.Exists(said) && File.ReadAllText(said).Contains("tasks run", StringComparison.Ordinal), "the drain waits");
                await File.WriteAllTextAsync(go, "");
                await draining.WaitAsync(Eventually.Patience);
                draining.ExitCode.ShouldBe(0);
                (await File.ReadAllTextAsync(said)).ShouldContain("has stopped");
            }

            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(0);
            cluster.Endpoint.Managers().ShouldBeEmpty();
            (await cluster.Api.GroupAsync("held")).Done.ShouldBeGreaterThan(0u);
            (await RunAsync("drain", "--config", file)).ShouldEnd(3, "endpoint 'test' is not running");

            await cluster.Endpoint.StartAsync();
            var results = await cluster.Api.WaitAsync("held", 21);
            results.Values.Select(static result => int.Parse(result.Text)).Order().ShouldBe([5, .. Enumerable.Range(10, 20)]);
            (await cluster.Api.ListAsync("held")).ShouldAllBe(static task => task.Attempts == 1, "nothing was interrupted");
        });

    [Fact]
    public Task A_drain_says_how_many_tasks_it_waits_for() => Scenario.SharingAsync(
        new EndpointOptions { WorkersPerNode = 2 }, async cluster =>
        {
            var function = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
            string[] go = [Path.Combine(cluster.DirectoryPath, "first"), Path.Combine(cluster.DirectoryPath, "second")];
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", go.Select(static path => $"[\"{path}\", 5]")));
            await Eventually.TrueAsync(() => go.All(static path => File.Exists(path + ".waits")), "both tasks run");
            string[] drain = ["drain", "--no-wait", "--config", cluster.Endpoint.Configuration];
            var who = $"endpoint 'test' (pid {cluster.Endpoint.Identity.Pid}) drains: ";
            (await RunAsync(drain)).ShouldEnd(0).Output.ShouldBe($"{who}2 tasks run\n");
            await File.WriteAllTextAsync(go[0], "");
            await Eventually.TrueAsync(async () => await FigureAsync(cluster, "running") == 1, "one of them has ended");
            (await RunAsync(drain)).ShouldEnd(0).Output.ShouldBe($"{who}1 tasks run\n");
            await File.WriteAllTextAsync(go[1], "");
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(0);
        });

    [Fact]
    public Task Which_users_which_function_ran_in_which_job_is_on_record_before_it_ends_and_how_often_afterwards() => Scenario.SharingAsync(
        new EndpointOptions { Blocks = 1, BlockIdle = TimeSpan.FromSeconds(1) }, async cluster =>
        {
            var (held, square) = (await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for"), await cluster.Api.RegisterAsync(Python.Square, "square"));
            var go = Path.Combine(cluster.DirectoryPath, "go");
            await cluster.Api.SubmitAsync(ServiceApi.Request(held, cluster.EndpointId, "held", [$"[\"{go}\", 5]"]));
            await Eventually.TrueAsync(() => File.Exists(go + ".waits"), "the task runs");
            await Eventually.TrueAsync(() => File.Exists(Log()), "a line of it");
            var line = Lines().ShouldHaveSingleItem();
            (Text(line, "function"), Text(line, "name"), line.GetProperty("tasks").GetInt32(), line.GetProperty("last").GetBoolean()).ShouldBe((held, "wait_for", 1, false));
            using (var status = await cluster.Endpoint.StatusAsync())
            {
                var block = status!.RootElement.GetProperty("blocks")[0];
                (Text(line, "block"), Text(line, "job")).ShouldBe((Text(block, "block"), Text(block, "job")));
            }

            File.GetUnixFileMode(Log()).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
            await cluster.SubmitRangeAsync(square, "many", 300);
            await cluster.Api.WaitAsync("many", 300);
            await File.WriteAllTextAsync(go, "");
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 0, "the block ends");
            await Eventually.TrueAsync(() => Lines().Count(static entry => entry.GetProperty("last").GetBoolean()) == 2, "the last word of each function", seen: () => File.ReadAllText(Log()));
            var last = Lines().Where(static entry => entry.GetProperty("last").GetBoolean()).ToDictionary(static entry => Text(entry, "function"));
            (last[held].GetProperty("tasks").GetInt32(), last[square].GetProperty("tasks").GetInt32()).ShouldBe((1, 300));
            last.Values.ShouldAllBe(entry => Text(entry, "owner") == cluster.User && Text(entry, "job") == Text(line, "job"));

            // Another block, another process: what is there stays.
            var before = await File.ReadAllTextAsync(Log());
            await cluster.Endpoint.StopAsync();
            await cluster.Endpoint.StartAsync();
            await cluster.SubmitRangeAsync(square, "again", 3);
            await cluster.Api.WaitAsync("again", 3);
            await cluster.Endpoint.StopAsync();
            (await File.ReadAllTextAsync(Log())).ShouldStartWith(before);
            Lines()[^1].GetProperty("tasks").GetInt32().ShouldBe(3);

            string Log() => Path.Combine(cluster.Endpoint.StateDirectory, "executions.jsonl");
            List<JsonElement> Lines() => [.. File.ReadLines(Log()).Select(static text => JsonDocument.Parse(text).RootElement)];
        });

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private static string Text(JsonElement entry, string name) => entry.GetProperty(name).GetString()!;

    private static async Task<int> FigureAsync(LocalCluster cluster, string name)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("dispatch").GetProperty(name).GetInt32();
    }

    private Task<EndpointCommand> RunAsync(params string[] arguments) => EndpointCommand.RunAsync(_home, arguments);
}
