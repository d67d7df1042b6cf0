using System.Globalization;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>The commands of <c>funcx-endpoint</c> as processes: what they end with, and what they say. endpoint/README.md lists the exit codes.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class EndpointCommandTests : IDisposable
{
    private readonly string _home = LocalCluster.NewDirectory("commands");

    [Fact]
    public async Task Init_writes_a_private_file_that_is_valid_and_replaces_none()
    {
        var file = Path.Combine(_home, "laptop.yaml");
        string[] init = ["init", "--name", "laptop", "--service", "http://127.0.0.1:9", "--output", file];
        (await RunAsync(init)).ShouldEnd(0).Output.ShouldContain($"funcx-endpoint start --config {file}");
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (await RunAsync("validate", "--config", file)).ShouldEnd(0).Output.ShouldContain("endpoint 'laptop' is valid");
        (await RunAsync(init)).ShouldEnd(1, $"{file} is there already");
        (await RunAsync([.. init, "--force"])).ShouldEnd(0);
        (await RunAsync("init", "--name", "..", "--service", "http://127.0.0.1:9")).ShouldEnd(2, "'name' is '..', which names a directory");
        (await RunAsync("init", "--name", "laptop")).ShouldEnd(2, "no service is known");
    }

    [Fact]
    public async Task A_wrong_file_is_refused_by_every_command_with_all_its_mistakes()
    {
        var file = Write("name: a b\nservice: http://127.0.0.1:9\nstate_dir: //\nblocks: {max: z}\ncolour: red\n");
        string[] mistakes = [$"{file}:1:7: error: 'name' is 'a b'", $"{file}:3:12: error: 'state_dir' is '/'", $"{file}:4:15: error: 'blocks.max' is 'z'", $"{file}:5:1: error: unknown key 'colour'"];
        foreach (var command in (string[])["validate", "start", "status", "stop"])
            (await RunAsync(command, "--config", file)).ShouldEnd(2, mistakes).Errors.Trim().Split('\n').Length.ShouldBe(mistakes.Length);
        (await RunAsync("validate", "--config", Write("name: [a\n"))).ShouldEnd(2, ":2:1: error: not YAML");
        (await RunAsync("validate", "--config", Path.Combine(_home, "none.yaml"))).ShouldEnd(2, ":1:1: error: there is no such file");
    }

    [Fact]
    public async Task Schema_prints_the_files_of_configs_that_are_made_of_the_keys()
    {
        (await RunAsync("schema")).ShouldEnd(0).Output.ShouldBe(await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "configs", "endpoint.schema.json")));
        (await RunAsync("schema", "--reference")).ShouldEnd(0).Output.ShouldBe(await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "configs", "REFERENCE.md")));
    }

    [Fact]
    public async Task A_file_that_others_may_write_is_refused()
    {
        var file = Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {_home}/state\nworkers: {{init: 'module load conda'}}\n");
        (await RunAsync("validate", "--config", file)).ShouldEnd(0);
        File.SetUnixFileMode(file, File.GetUnixFileMode(file) | UnixFileMode.OtherWrite);
        foreach (var command in (string[])["validate", "start", "status", "stop"])
            (await RunAsync(command, "--config", file)).ShouldEnd(2, $"Run: chmod go-w {file}");
    }

    [Fact]
    public async Task What_cannot_be_done_yet_is_noted_by_validate_and_refused_by_start()
    {
        var file = Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {_home}/state\n" + """
            workers: {simulate: true}
            containers: {allowed: [b], binds: [/b], cache: {dir: /b}, mode: hard, warm: {b: 1}}
            stage_in: [/b]
            sharing: {mode: allow_shared_account, users: [ann], functions: [b]}
            """);
        string[] keys =
        [
            "workers.simulate", "containers.allowed", "containers.binds", "containers.mode", "containers.warm",
            "stage_in", "sharing.mode", "sharing.functions",
        ];
        var noted = (await RunAsync("validate", "--config", file)).ShouldEnd(0, "possible now: ");
        noted.Errors.Trim().Split('\n').Select(line => line.Split('\'')[1]).ShouldBe(keys);
        var refused = (await RunAsync("start", "--config", file)).ShouldEnd(2, "possible now: ");
        refused.Errors.ShouldBe(noted.Errors.Replace(": note: ", ": error: ", StringComparison.Ordinal));
        Directory.Exists(Path.Combine(_home, "state")).ShouldBeFalse();
    }

    [LongFact]
    public async Task A_manager_that_is_missing_or_needs_the_runtime_is_refused_by_start()
    {
        var manager = Path.Combine(_home, "funcx-manager");
        var environment = new Dictionary<string, string?> { ["FUNCX_MANAGER"] = manager };
        var token = Write("fxt_token");
        string[] start = ["start", "--token-file", token, "--config", Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {_home}/state\n")];
        (await EndpointCommand.RunAsync(_home, environment, start)).ShouldEnd(2, $"funcx-endpoint: FUNCX_MANAGER names '{manager}', which does not exist");

        File.Copy("/bin/true", manager);
        await File.WriteAllTextAsync(manager + ".dll", "");
        string[] reason = [$"funcx-endpoint: {manager} is not compiled ahead of time ({manager}.dll lies beside it)", "Run: dotnet publish endpoint/FuncX.Manager -c Release"];
        (await EndpointCommand.RunAsync(_home, environment, start)).ShouldEnd(2, reason);
        (await EndpointCommand.RunAsync(_home, environment, [.. start, "--detach"])).ShouldEnd(2, reason);
        Directory.Exists(Path.Combine(_home, "state")).ShouldBeFalse("refused before anything is made");

        // What quickstart says. The port is of no service, so this is as far as it comes.
        (await EndpointCommand.RunAsync(_home, environment, [.. start, "--jit-manager"])).ShouldEnd(1, "could not register endpoint 'a'");
        (await EndpointCommand.RunAsync(_home, environment, [.. start, "--jit-manager", "--detach"])).ShouldEnd(1, "could not register endpoint 'a'");
        File.Delete(manager + ".dll");
        (await EndpointCommand.RunAsync(_home, environment, start)).ShouldEnd(1, "could not register endpoint 'a'");
    }

    [Theory]
    [InlineData("start")]
    [InlineData("status", "--config", "a.yaml", "--colour")]
    [InlineData("stop", "--config", "a.yaml", "--timeout", "0")]
    [InlineData("dance")]
    public async Task A_wrong_command_line_is_refused(params string[] arguments) => (await RunAsync(arguments)).ExitCode.ShouldBe(2);

    [Fact]
    public async Task Where_no_endpoint_runs_status_and_stop_say_so()
    {
        var state = Path.Combine(_home, "state");
        var file = Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {state}\n");
        (await RunAsync("status", "--config", file)).ShouldEnd(3, "endpoint 'a' is not running");
        (await RunAsync("stop", "--config", file)).ShouldEnd(3, "endpoint 'a' is not running");
        using var status = JsonDocument.Parse((await RunAsync("status", "--json", "--config", file)).ShouldEnd(3, "is not running").Output);
        status.RootElement.GetProperty("state").GetString().ShouldBe("not_running");

        Directory.CreateDirectory(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.CreateSymbolicLink(Path.Combine(state, "control.sock"), "control-7.login2.sock");
        foreach (var command in (string[])["status", "stop"])
            (await RunAsync(command, "--config", file)).ShouldEnd(3, "it runs on host login2 with pid 7");
    }

    [Fact]
    public async Task A_state_directory_that_is_open_to_others_is_refused_by_start()
    {
        var state = Directory.CreateDirectory(Path.Combine(_home, "state")).FullName;
        File.SetUnixFileMode(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead);
        (await RunAsync("start", "--config", Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {state}\n"))).ShouldEnd(1, $"Run: chmod 700 {state}");
    }

    [Fact]
    public async Task A_first_start_whose_service_is_away_says_so_and_a_detached_one_that_its_time_is_over()
    {
        // Each with a state directory of its own. The port is of no service: discard.
        var token = Write("fxt_token");
        var near = RunAsync("start", "--token-file", token, "--config", Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {_home}/near\n"));
        (await RunAsync("start", "--detach", "--timeout", "1", "--token-file", token, "--config", Write($"name: b\nservice: http://127.0.0.1:9\nstate_dir: {_home}/far\n")))
            .ShouldEnd(5, "endpoint 'b' (pid ", "is not ready after 1 s and goes on trying; see ");
        (await near).ShouldEnd(1, "funcx-endpoint: http://127.0.0.1:9 could not register endpoint 'a' (Unavailable)");
        await Eventually.TrueAsync(() => ProcessTable.Mentioning(_home).Count == 0, "the detached start has given up as well");
        (await File.ReadAllTextAsync(Path.Combine(_home, "far", "logs", "endpoint.log"))).ShouldContain("could not register endpoint 'b'");
    }

    [Fact]
    public async Task A_wrong_token_is_refused_and_a_detached_start_says_what_its_log_says()
    {
        await using var cluster = await LocalCluster.StartServiceAsync();
        var token = Write("fxt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        var file = Write($"name: a\nservice: {cluster.Service.Address}\nstate_dir: {_home}/state\n");
        var refusal = $"{cluster.Service.Address} refused to register endpoint 'a' with the token of {token}: ";
        (await RunAsync("start", "--config", file, "--token-file", token)).ShouldEnd(1, refusal);
        (await RunAsync("start", "--detach", "--config", file, "--token-file", token)).ShouldEnd(1, "endpoint 'a' did not start; ", "/state/logs/endpoint.log says:", refusal);
        (await RunAsync("start", "--config", file)).ShouldEnd(1, "Run `funcx login`");
        File.SetUnixFileMode(token, File.GetUnixFileMode(token) | UnixFileMode.GroupRead);
        (await RunAsync("start", "--config", file, "--token-file", token)).ShouldEnd(1, $"Run: chmod 600 {token}");
    }

    [Fact]
    public async Task The_logs_of_a_block_are_those_of_its_script_its_agent_its_managers_and_its_scheduler()
    {
        var block = Directory.CreateDirectory(Path.Combine(_home, "state", "blocks", "b-1")).FullName;
        var file = Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {_home}/state\n");
        (await RunAsync("logs", "--config", file, "--block", "b-1")).ShouldEnd(1, "block 'b-1' has no log yet");

        // Cobalt's three are called as the job is.
        string[] logs = ["agent.log", "batch.log", "funcx-0-b-1.cobaltlog", "funcx-0-b-1.error", "funcx-0-b-1.output", "node-0.log"];
        foreach (var name in (string[])[.. logs, "batch.sh", "block.json", "rendezvous.json", "exit"])
            await File.WriteAllTextAsync(Path.Combine(block, name), $"first of {name}\nlast of {name}\n");
        (await RunAsync("logs", "--config", file, "--block", "b-1", "-n", "1")).ShouldEnd(0).Output
            .ShouldBe(string.Join('\n', logs.Select(name => $"==> {block}/{name} <==\nlast of {name}\n")));
    }

    // Its state directory has a path too long for a Unix socket: a home directory of a cluster.
    [Fact]
    public async Task A_running_endpoint_is_superseded_asked_while_it_hangs_and_stopped() =>
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions { StateDirectory = Path.Combine(cluster.DirectoryPath, new string('x', 120)) });
            var file = cluster.Endpoint.Configuration;
            (await RunAsync("status", "--config", file)).ShouldEnd(0).Output.ShouldContain($"pid {cluster.Endpoint.Identity}");

            var left = Path.Combine(cluster.Endpoint.StateDirectory, "code", "1");
            Directory.CreateDirectory(Path.GetDirectoryName(left)!);
            await File.WriteAllTextAsync(left, "code of the older process");
            (await RunAsync("start", "--detach", "--config", file)).ShouldEnd(0).Output.ShouldContain("endpoint 'test' is running: pid ");
            File.Exists(left).ShouldBeFalse();
            await cluster.Endpoint.WaitForExitAsync();
            cluster.Endpoint.ExitCode.ShouldBe(4);
            cluster.Endpoint.Tail.ShouldContain("superseded: a newer process of this endpoint has started on this machine");

            using var status = JsonDocument.Parse((await RunAsync("status", "--json", "--config", file)).ShouldEnd(0).Output);
            var pid = status.RootElement.GetProperty("pid").GetInt32();
            await SignalAsync("STOP", pid);
            try
            {
                var asked = RunAsync("status", "--config", file);
                var stopped = RunAsync("stop", "--config", file);
                foreach (var command in await Task.WhenAll(asked, stopped))
                    command.ShouldEnd(1, $"the endpoint's process {pid} has its control socket open and did not answer within 10 s");
            }
            finally
            {
                await SignalAsync("CONT", pid);
            }

            // A task that runs keeps it for some seconds.
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "nap", ["[60, 0]"]));
            await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status?.Running == 1, "the task runs");
            (await RunAsync("stop", "--timeout", "0.001", "--config", file)).ShouldEnd(5, $"endpoint 'test' (pid {pid}) is still stopping after 0.001 s");
            await Eventually.TrueAsync(() => ProcessTable.Find(pid) is null, "the endpoint has stopped");
            (await RunAsync("status", "--config", file)).ShouldEnd(3, "endpoint 'test' is not running");

            (await RunAsync("start", "--detach", "--config", file)).ShouldEnd(0);
            (await RunAsync("stop", "--config", file)).ShouldEnd(0).Output.ShouldContain("has stopped");
            ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).ShouldBeEmpty();
            Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, "control*").ShouldBeEmpty();
        });

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private Task<EndpointCommand> RunAsync(params string[] arguments) => EndpointCommand.RunAsync(_home, arguments);

    private string Write(string text)
    {
        var path = Path.Combine(_home, $"{Guid.NewGuid():N}.yaml");
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    private async Task SignalAsync(string signal, int pid) =>
        (await Daemon.RunAsync(["/bin/kill", $"-{signal}", pid.ToString(CultureInfo.InvariantCulture)], Path.Combine(_home, "kill.log"), Eventually.Patience)).ExitCode.ShouldBe(0);
}
