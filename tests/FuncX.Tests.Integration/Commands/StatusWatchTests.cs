using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary><c>funcx-endpoint status --watch</c> on a file and on a pseudo-terminal, while tasks come, run and end.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class StatusWatchTests
{
    private const int Workers = 2;

    [Fact]
    public async Task It_follows_the_tasks_in_lines_in_JSON_and_in_place_on_a_terminal() => await Scenario.SharingAsync(new EndpointOptions { WorkersPerNode = Workers }, async cluster =>
    {
        string[] command = [FuncX.Contracts.Programs.Endpoint, "status", "--watch", "--interval", "0.2", "--config", cluster.Endpoint.Configuration];
        await using var lines = Daemon.Start(command, Path.Combine(cluster.DirectoryPath, "lines.out"));
        await using var json = Daemon.Start([.. command, "--json"], Path.Combine(cluster.DirectoryPath, "json.out"));
        await using var terminal = Daemon.Start(
            ["/usr/bin/script", "-qfec", $"stty cols 110 rows 40; exec {string.Join(' ', command)}", "/dev/null"], Path.Combine(cluster.DirectoryPath, "terminal.out"), new Dictionary<string, string?> { ["TERM"] = "xterm" });
        await SeeAsync(lines, $" busy 0 workers {Workers} managers 1 blocks 1 requested 0 draining 0 waiting_for_time 0");
        await SeeAsync(terminal, $"0 of {Workers} busy, 1 managers");
        await SeeAsync(terminal, "0 queued, 0 at managers, 0 done");

        var wait = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
        var go = Path.Combine(cluster.DirectoryPath, "go");
        await cluster.Api.SubmitAsync(ServiceApi.Request(wait, cluster.EndpointId, "held", Enumerable.Range(0, Workers).Select(number => JsonSerializer.Serialize(new object[] { go, number }))));
        await SeeAsync(lines, $" at_managers {Workers} done 0 ");
        await SeeAsync(lines, $" busy {Workers} workers {Workers}");
        await SeeAsync(terminal, $"{Workers} of {Workers} busy");
        await SeeAsync(terminal, $"0 queued, {Workers} at managers, 0 done");
        await File.WriteAllTextAsync(go, "");
        await cluster.Api.SubmitAsync(ServiceApi.Request(await cluster.Api.RegisterAsync(Python.Fail, "fail"), cluster.EndpointId, "fail", ["[1]"]));
        await cluster.Api.WaitAsync("held", Workers);
        await cluster.Api.WaitAsync("fail", 1);
        await SeeAsync(lines, $" at_managers 0 done {Workers + 1} ");
        await SeeAsync(lines, " failed 1 ");
        await SeeAsync(terminal, $"0 queued, 0 at managers, {Workers + 1} done");
        await SeeAsync(terminal, "1 failed");
        var told = lines.Tail;
        told.Split('\n').ShouldContain(static line => line.Contains(" done_per_s ", StringComparison.Ordinal) && !line.Contains(" done_per_s 0.0 ", StringComparison.Ordinal), "a rate above zero");
        // A cursor goes up over the last frame; no line of a file has such a thing in it.
        terminal.Tail.ShouldContain("\x1b[");
        told.ShouldNotContain("\x1b");
        await Eventually.TrueAsync(
            () => json.Tail.Split('\n') is { Length: > 2 } seen && seen[1..^1].Any(static line => IsSaid(line, $"\"completed\":{Workers + 1},") && IsSaid(line, "\"results_failed\":1,") && JsonDocument.Parse(line) is not null),
            "JSON says it too",
            seen: () => json.Tail);

        // A signal ends it well; the end of the endpoint ends it too, and says so.
        json.Identity.Terminate().ShouldBeTrue();
        await json.WaitAsync(Eventually.Patience);
        json.ExitCode.ShouldBe(0);
        (await cluster.Endpoint.StopAsync()).ShouldBe(0);
        await lines.WaitAsync(Eventually.Patience);
        lines.ExitCode.ShouldBe(3, lines.Tail);
        lines.Tail.ShouldContain("endpoint 'test' is not running");
        await terminal.WaitAsync(Eventually.Patience);
        terminal.ExitCode.ShouldBe(3, terminal.Tail);
    });

    private static bool IsSaid(string line, string figure) => line.Contains(figure, StringComparison.Ordinal);

    private static Task SeeAsync(Daemon watch, string text) => Eventually.TrueAsync(() => watch.Tail.Contains(text, StringComparison.Ordinal), $"it shows '{text}'", seen: () => watch.Tail);
}
