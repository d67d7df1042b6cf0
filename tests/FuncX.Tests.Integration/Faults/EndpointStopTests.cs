using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

[Trait(Beside.Name, Beside.Scenarios)]
public sealed class EndpointStopTests
{
    /// <summary>Longer than a stop lets tasks run.</summary>
    private const int Seconds = 10;

    [LongFact]
    public Task A_task_that_clean_stops_interrupt_twice_still_ends_with_its_value() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        await cluster.Api.SubmitAsync(ServiceApi.Request(
            function, cluster.EndpointId, "interrupted", [$"[\"{files}\", 0, {Seconds}]"], new TaskOptions { MaxAttempts = 2 }));
        for (var stop = 1; stop <= 2; stop++)
        {
            var starts = stop;
            await Eventually.TrueAsync(() => Starts(files) == starts, $"the task runs for the {stop}. time");
            (await cluster.Endpoint.StopAsync()).ShouldBe(0);
            ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).ShouldBeEmpty("something of the endpoint runs on after its stop");
            await cluster.Endpoint.StartAsync();
        }

        var result = (await cluster.Api.WaitAsync("interrupted", 1)).Values.ShouldHaveSingleItem();

        result.Outcome.ShouldBe(Outcome.Value, result.Text);
        File.ReadAllLines(Path.Combine(files, "0")).Select(static line => line.Split(' ')[0]).ShouldBe(["start", "start", "start", "end"]);
    });

    [Fact]
    public Task Tasks_that_wait_at_a_clean_stop_run_once_after_the_next_start_though_they_may_run_once_only() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        // Two that end within the time that a stop gives, and more than the workers get ahead of time.
        var calls = Enumerable.Range(0, 2).Select(i => $"[\"{files}\", {i}, 2]").Concat(Enumerable.Range(2, 2_000).Select(i => $"[\"{files}\", {i}, 0.01]"));
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "waiting", calls, new TaskOptions { MaxAttempts = 1 }));
        await Eventually.TrueAsync(() => Starts(files) == 1, "the first task runs");

        (await cluster.Endpoint.StopAsync()).ShouldBe(0);

        await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("waiting")).Dispatched == 0, "nothing is left with the endpoint");
        (await cluster.Api.GroupAsync("waiting")).Queued.ShouldBeGreaterThan(0);
        await cluster.Endpoint.StartAsync();
        var results = await cluster.Api.WaitAsync("waiting", 2_002);
        results.Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(2, $"{Path.GetFileName(file)} ran more than once");
        (await cluster.Api.EndpointAsync(cluster.EndpointId)).Epoch.ShouldBe(2u, "the stop broke the link");
    });

    private static int Starts(string files) =>
        File.Exists(Path.Combine(files, "0")) ? File.ReadAllLines(Path.Combine(files, "0")).Count(static line => line.StartsWith("start", StringComparison.Ordinal)) : 0;
}
