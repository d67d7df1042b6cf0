using System.Globalization;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Commands;

/// <summary><c>funcx-endpoint restart</c>, <c>logs</c> and <c>delete</c> beside a real service.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class EndpointLifeTests : IDisposable
{
    private readonly string _home = LocalCluster.NewDirectory("endpoint-life");

    [Fact]
    public async Task A_restart_leaves_blocks_and_tasks_running_and_one_with_blocks_starts_them_anew() =>
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions());
            var file = cluster.Endpoint.Configuration;
            var function = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
            var go = Path.Combine(cluster.DirectoryPath, "go");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", [$"[\"{go}\", 5]"]));
            await Eventually.TrueAsync(() => File.Exists(go + ".waits"), "the task runs");
            var manager = cluster.Endpoint.Managers().Single().Pid;

            (await RunAsync("restart", "--config", file)).ShouldEnd(0).Output.ShouldContain("endpoint 'test' is running: pid ");
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(4, "superseded");
            await File.WriteAllTextAsync(go, "");
            (await cluster.Api.WaitAsync("held", 1)).Values.Single().ShouldHaveValue("5");
            (await cluster.Api.ListAsync("held")).Single().Attempts.ShouldBe(1u);
            cluster.Endpoint.Managers().Single().Pid.ShouldBe(manager);

            (await RunAsync("restart", "--blocks", "--config", file)).ShouldEnd(0).Output.ShouldContain("has stopped");
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers() is [var other] && other.Pid != manager, "another manager");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "after", ["[\"\", 6]"]));
            (await cluster.Api.WaitAsync("after", 1)).Values.Single().ShouldHaveValue("6");
            (await RunAsync("stop", "--config", file)).ShouldEnd(0);

            (await RunAsync("restart", "--blocks", "--config", file)).ShouldEnd(0).Output.ShouldStartWith("endpoint 'test' is running: pid ");
            (await RunAsync("stop", "--config", file)).ShouldEnd(0);
        });

    [Fact]
    public async Task Logs_shows_the_last_lines_goes_on_with_new_ones_and_knows_the_blocks() =>
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions());
            var file = cluster.Endpoint.Configuration;
            (await RunAsync("logs", "--config", file)).ShouldEnd(1, "endpoint 'test' has no log", "without --detach logs to its own stderr");
            (await RunAsync("restart", "--config", file)).ShouldEnd(0);
            await cluster.Endpoint.WaitForExitAsync();
            (await RunAsync("logs", "--config", file)).ShouldEnd(0).Output.ShouldContain($"endpoint 'test' ({cluster.EndpointId}) is ready");

            using var status = JsonDocument.Parse((await RunAsync("status", "--json", "--config", file)).ShouldEnd(0).Output);
            var block = status.RootElement.GetProperty("blocks")[0].GetProperty("block").GetString()!;
            (await RunAsync("logs", "--config", file, "--block", "b-0")).ShouldEnd(1, $"endpoint 'test' has no block 'b-0'; it has {block}");
            var node = Path.Combine(cluster.Endpoint.StateDirectory, "blocks", block, "node-0.log");
            await File.AppendAllTextAsync(node, "a manager's words\n");
            (await RunAsync("logs", "--config", file, "--block", block, "-n", "1")).ShouldEnd(0).Output.ShouldBe("a manager's words\n");
            (await RunAsync("stop", "--config", file)).ShouldEnd(0);

            // Nobody writes to it now: its lines are ours.
            var log = Path.Combine(cluster.Endpoint.StateDirectory, "logs", "endpoint.log");
            await File.WriteAllTextAsync(log, string.Concat(Enumerable.Range(0, 30_000).Select(static i => $"line {i}\n")));
            (await RunAsync("logs", "--config", file, "--lines", "2")).ShouldEnd(0).Output.ShouldBe("line 29998\nline 29999\n");
            (await RunAsync("logs", "--config", file, "--lines", "0")).ShouldEnd(0).Output.ShouldBe("");
            (await RunAsync("logs", "--config", file, "--lines", "29999")).ShouldEnd(0).Output.ShouldStartWith("line 1\nline 2\n");
            (await RunAsync("logs", "--config", file, "--lines", "99999")).ShouldEnd(0).Output.ShouldStartWith("line 0\n");
            (await RunAsync("logs", "--config", file, "--lines", "-1")).ExitCode.ShouldBe(2);

            // As home directories of clusters often are, over a link.
            var linked = Path.Combine(_home, "linked.yaml");
            File.CreateSymbolicLink(Path.Combine(_home, "state"), cluster.Endpoint.StateDirectory);
            await File.WriteAllTextAsync(linked, (await File.ReadAllTextAsync(file)).Replace($"state_dir: {cluster.Endpoint.StateDirectory}", $"state_dir: {_home}/state", StringComparison.Ordinal));
            File.SetUnixFileMode(linked, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            var following = Path.Combine(_home, "followed");
            await using (var logs = Daemon.Start([Contracts.Programs.Endpoint, "logs", "--follow", "-n", "1", "--config", linked], following))
            {
                await SeesAsync(following, "line 29999\n");
                await File.AppendAllTextAsync(log, "more\n");
                await SeesAsync(following, "line 29999\nmore\n");
                File.Move(log, log + ".1");
                await File.WriteAllTextAsync(log, "anew\n");
                await SeesAsync(following, "line 29999\nmore\nanew\n");
                await File.WriteAllTextAsync(log, "cut\n");
                await SeesAsync(following, "line 29999\nmore\nanew\ncut\n");
                await Task.Delay(500);
                Read(following).ShouldBe("line 29999\nmore\nanew\ncut\n", "nothing is shown twice");
                logs.HasExited.ShouldBeFalse();
            }

            // Whoever reads goes away while it follows: it ends with its next line.
            var head = Path.Combine(_home, "head.log");
            await using (var piped = Daemon.Start(["/bin/sh", "-c", $"{Contracts.Programs.Endpoint} logs --follow -n 1 --config {file} | sed -u 2q"], head))
            {
                await SeesAsync(head, "cut\n");
                await File.AppendAllTextAsync(log, "one\n");
                await SeesAsync(head, "cut\none\n");
                await File.AppendAllTextAsync(log, "two\n");
                await piped.WaitAsync(Eventually.Patience);
                piped.ExitCode.ShouldBe(0);
            }

            Read(head).ShouldBe("cut\none\n");
        });

    [Fact]
    public async Task Delete_refuses_what_runs_or_would_lose_something_and_then_leaves_nothing() =>
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions());
            var (file, state, id) = (cluster.Endpoint.Configuration, cluster.Endpoint.StateDirectory, cluster.EndpointId);
            var token = cluster.TokenFile;
            string[] delete = ["delete", "--config", file, "--token-file", token];
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, id, "nap", ["[60, 0]"]));
            await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(id)).Status?.Running == 1, "the task runs");
            (await RunAsync(delete)).ShouldEnd(1, $"endpoint 'test' is running (pid {cluster.Endpoint.Identity.Pid.ToString(CultureInfo.InvariantCulture)}). Stop it first");

            await cluster.Endpoint.KillAsync();
            (await RunAsync(delete)).ShouldEnd(1, "was not stopped and its blocks may still run: ");
            (await RunAsync("restart", "--config", file)).ShouldEnd(0);
            (await RunAsync("stop", "--config", file)).ShouldEnd(0);

            var spooled = Directory.CreateDirectory(Path.Combine(state, "spool", "another")).FullName;
            await File.WriteAllTextAsync(Path.Combine(spooled, "1.spool"), "results");
            (await RunAsync(delete)).ShouldEnd(1, "has 7 bytes of results in its spool");
            File.Delete(Path.Combine(spooled, "1.spool"));
            (await RunAsync("delete", "--config", file)).ShouldEnd(1, $"has no token for {cluster.Service.Address}", "Run `funcx login`");
            (await cluster.Api.EndpointAsync(id)).Name.ShouldBe("test", "nothing was deleted so far");
            await File.WriteAllTextAsync(Path.Combine(state, "mine.txt"), "not an endpoint's");

            (await RunAsync(delete)).ShouldEnd(0).Output.ShouldContain($"endpoint 'test' ({id}) is deleted at {cluster.Service.Address}");
            Directory.EnumerateFileSystemEntries(state).Select(Path.GetFileName).ShouldBe(["executions.jsonl", "mine.txt"], ignoreOrder: true);
            (await Should.ThrowAsync<RpcException>(() => cluster.Api.EndpointAsync(id))).StatusCode.ShouldBe(StatusCode.NotFound);
            (await cluster.Api.WaitAsync("nap", 1)).Values.Single().Outcome.ShouldBe(Outcome.Cancelled);

            (await RunAsync(delete)).ShouldEnd(0).Output.ShouldContain("was registered nowhere");
            File.Delete(Path.Combine(state, "mine.txt"));
            File.Delete(Path.Combine(state, "executions.jsonl"));
            (await RunAsync(delete)).ShouldEnd(0);
            Directory.Exists(state).ShouldBeFalse();
            (await RunAsync(delete)).ShouldEnd(1, "there is nothing to delete here");
        });

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private Task<EndpointCommand> RunAsync(params string[] arguments) => EndpointCommand.RunAsync(_home, arguments);

    private static Task SeesAsync(string path, string text) => Eventually.TrueAsync(() => Read(path) == text, $"it shows '{text}'", seen: () => Read(path));

    private static string Read(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
