using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

public sealed class EndpointStopTests
{
    /// <summary>Longer than a stop lets tasks run.</summary>
    private const int Seconds = 10;

    [Fact]
    public Task A_task_that_clean_stops_interrupt_twice_still_ends_with_its_value() => Scenario.RunAsync(async cluster =>
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

    private static int Starts(string files) =>
        File.Exists(Path.Combine(files, "0")) ? File.ReadAllLines(Path.Combine(files, "0")).Count(static line => line.StartsWith("start", StringComparison.Ordinal)) : 0;
}
