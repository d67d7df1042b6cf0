using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>What command functions can do, on an endpoint that has no Python at all.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class CommandFunctionTests
{
    private static readonly EndpointOptions s_noPython = new() { Python = "/no/python", MoreYaml = "limits: {output: 64KiB}" };

    [Fact]
    public Task Commands_get_what_their_definition_says_and_give_back_what_they_made() => Scenario.SharingAsync(s_noPython, async cluster =>
    {
        // Environment, standard input, files in and out, the task's own directory.
        var all = await ValueAsync(cluster, """
            {"command": "printf '%s,' \"$GREETING\" \"$(cat)\" \"$(cat data/in.txt)\"; mkdir out; printf '\\377\\001' > out/b.bin; echo text > a.txt; pwd; echo \"$FUNCX_TASK_ID\"",
             "shell": true, "parameters": ["name"], "environment": {"GREETING": "hello {name}"}, "stdin": "in {name}", "inputs": {"data/in.txt": "file {name}"},
             "outputs": ["*.txt", "out/b.bin"]}
            """, """["$(id) 'you'"]""");
        var lines = all.GetProperty("stdout").GetString()!.Split('\n');
        lines[0].ShouldStartWith("hello $(id) 'you',in $(id) 'you',file $(id) 'you',");
        all.GetProperty("files").GetProperty("a.txt").GetProperty("text").GetString().ShouldBe("text\n");
        all.GetProperty("files").GetProperty("out/b.bin").GetProperty("base64").GetBytesFromBase64().ShouldBe([0xff, 0x01]);
        var directory = lines[0].Split(',')[^1];
        directory.ShouldEndWith($"{lines[1]}-1");
        Directory.Exists(directory).ShouldBeFalse("a task's directory is gone with the task");

        // Every task has a directory of its own, at the same time.
        var own = await cluster.Api.RegisterCommandAsync("own", """{"command": "ls | wc -l; touch \"$x\"; sleep 0.05; ls", "shell": true, "parameters": ["x"]}""");
        await cluster.Api.SubmitAsync(ServiceApi.Request(own, cluster.EndpointId, "own", Enumerable.Range(0, 20).Select(static i => $"[\"file{i}\"]")));
        foreach (var (task, result) in await cluster.Api.WaitAsync("own", 20))
            JsonDocument.Parse(result.Value).RootElement.GetProperty("stdout").GetString()!.Trim().ShouldBe($"0\nfile{task.Index}");

        // Bytes are the standard input; pickled arguments are Python's.
        var cat = await cluster.Api.RegisterCommandAsync("cat", """{"command": ["od", "-An", "-tx1"]}""");
        var octets = ServiceApi.Request(cat, cluster.EndpointId, "octets", ["a\0b"]);
        octets.ContentType = (uint)ContentType.Octets;
        await cluster.Api.SubmitAsync(octets);
        (await cluster.Api.WaitAsync("octets", 1)).Values.Single().Text.ShouldContain("61 00 62");
        var pickled = ServiceApi.Request(cat, cluster.EndpointId, "pickled", ["x"]);
        pickled.ContentType = (uint)ContentType.Pickle;
        await cluster.Api.SubmitAsync(pickled);
        var refused = (await cluster.Api.WaitAsync("pickled", 1)).Values.Single();
        refused.Outcome.ShouldBe(Outcome.Exception);
        refused.Text.ShouldContain("these are pickled");

        // Megabytes of standard input, which the command does not even read.
        var ignored = await cluster.Api.RegisterCommandAsync("ignored", """{"command": ["true"], "stdin": "{x}"}""");
        (await cluster.CallAsync(ignored, $"[\"{new string('x', 3_000_000)}\"]")).Text.ShouldContain("\"returncode\":0");

        // A file that the result should have and that is not there.
        var missing = await cluster.Api.RegisterCommandAsync("missing", """{"command": ["true"], "outputs": ["result.dat"]}""");
        var failed = await cluster.CallAsync(missing, "[]");
        failed.Outcome.ShouldBe(Outcome.Exception);
        failed.Text.ShouldContain("result.dat");

        // A link is no file of the task.
        var link = await cluster.Api.RegisterCommandAsync("link", """{"command": ["ln", "-s", "/etc/passwd", "stolen"], "outputs": ["stolen"]}""");
        (await cluster.CallAsync(link, "[]")).Outcome.ShouldBe(Outcome.Exception);

        // Nor is a pipe, and nobody waits for somebody to write to it.
        var pipe = await cluster.Api.RegisterCommandAsync("pipe", """{"command": ["mkfifo", "pipe"], "outputs": ["*"]}""");
        (await cluster.CallAsync(pipe, "[]")).Outcome.ShouldBe(Outcome.Exception);

        // And Python functions say what is not there.
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var rejected = await cluster.CallAsync(square, "[3]");
        rejected.Outcome.ShouldBe(Outcome.Rejected);
        rejected.Text.ShouldContain("/no/python");
    });

    [Fact]
    public Task The_whole_output_stays_as_files_when_asked() => Scenario.SharingAsync(s_noPython, async cluster =>
    {
        var value = await ValueAsync(cluster, """{"command": "yes | head -c 1000000; echo oops >&2", "shell": true, "keep_output": true}""", "[]");
        value.GetProperty("stdout").GetString()!.Length.ShouldBe(64 * 1024);
        value.GetProperty("stdout_bytes").GetInt64().ShouldBe(1_000_000);
        var path = value.GetProperty("stdout_file").GetString()!;
        path.ShouldStartWith(Path.Combine(cluster.DirectoryPath, "test", "kept"));
        new FileInfo(path).Length.ShouldBe(1_000_000);
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (await File.ReadAllTextAsync(value.GetProperty("stderr_file").GetString()!)).ShouldBe("oops\n");
    });

    [Fact]
    public Task A_command_that_is_cancelled_or_will_not_end_leaves_nothing_running() => Scenario.SharingAsync(s_noPython, async cluster =>
    {
        var mark = $"61{Random.Shared.Next(1_000_000):D6}";
        var stubborn = await cluster.Api.RegisterCommandAsync("stubborn", $$"""{"command": "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep {{mark}}' & while :; do sleep 0.05; done", "shell": true}""");
        await cluster.Api.SubmitAsync(ServiceApi.Request(stubborn, cluster.EndpointId, "stubborn", ["[]"]));
        await Eventually.TrueAsync(() => Task.FromResult(Sleeping(mark)), "the command and its daemon run");
        await cluster.Api.Tasks.CancelAsync(new CancelRequest { Group = "stubborn" }, cluster.Api.Headers);
        (await cluster.Api.WaitAsync("stubborn", 1)).Values.Single().Outcome.ShouldBe(Outcome.Cancelled);
        await Eventually.TrueAsync(() => Task.FromResult(!Sleeping(mark)), "what it started is gone, whatever session it went to");

        (await cluster.CallAsync(stubborn, "[]", new TaskOptions { WalltimeMs = 300 })).Outcome.ShouldBe(Outcome.TimedOut);
        await Eventually.TrueAsync(() => Task.FromResult(!Sleeping(mark)), "and again");

        // A worker that takes seconds to end a command, as with much memory to give back, still says what that wrote.
        var slow = await cluster.Api.RegisterCommandAsync("slow", """{"command": "echo begun; worker=$PPID; (sleep 3; kill -CONT $worker) & kill -STOP $worker; sleep 60", "shell": true}""");
        var ended = await cluster.CallAsync(slow, "[]", new TaskOptions { WalltimeMs = 300 });
        ended.Outcome.ShouldBe(Outcome.TimedOut);
        System.Text.Encoding.UTF8.GetString(ended.Output.Span).ShouldBe("begun\n");
    });

    private static async Task<JsonElement> ValueAsync(LocalCluster cluster, string definition, string arguments)
    {
        var function = await cluster.Api.RegisterCommandAsync("f", definition);
        var result = await cluster.CallAsync(function, arguments);
        result.Outcome.ShouldBe(Outcome.Value, result.Text);
        return JsonDocument.Parse(result.Value).RootElement;
    }

    private static bool Sleeping(string seconds) => OutcomeMatrixTests.ProcessesOf("sleep", seconds).Any();
}
