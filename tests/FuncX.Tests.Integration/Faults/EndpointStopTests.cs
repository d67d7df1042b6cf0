using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

public sealed class EndpointStopTests
{
    [Fact]
    public Task An_endpoint_that_stops_gives_back_what_waits_finishes_what_runs_and_later_runs_the_rest_once() => Scenario.RunAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Touch, "touch");
        var files = Path.Combine(cluster.DirectoryPath, "files");
        Directory.CreateDirectory(files);
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "stop", Enumerable.Range(0, 100).Select(i => $"[\"{files}\", {i}, 0.2]")));
        await Eventually.TrueAsync(() => Directory.GetFiles(files).Length >= 2, "tasks run");

        (await cluster.Endpoint.StopAsync()).ShouldBe(0, cluster.Endpoint.Tail);

        var started = Directory.GetFiles(files);
        started.ShouldAllBe(static file => File.ReadAllLines(file).Length == 2, "what had started was not finished");
        var counts = await cluster.Api.GroupAsync("stop");
        counts.Done.ShouldBe(started.Length, counts.ToString());
        counts.Queued.ShouldBe(100 - started.Length, $"what waited was not given back: {counts}");
        cluster.Service.Tail.ShouldNotContain("must rise", Case.Insensitive, "the link was broken by what was given back");

        await cluster.Endpoint.StartAsync();
        (await cluster.Api.WaitAsync("stop", 100)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(2, $"{Path.GetFileName(file)} ran more than once");
    });
}
