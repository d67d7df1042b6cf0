using System.Globalization;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>What a site's init, preloads and interpreter can do wrong before a task runs, and what is said about it.</summary>
public sealed class ManagerStartTests
{
    [Fact]
    public void The_manager_that_these_tests_run_is_compiled_ahead_of_time()
    {
        using var node = new NodeUnderTest().Ready();
        new FileInfo($"/proc/{node.Process.Id}/exe").LinkTarget.ShouldBe(ProgramUnderTest.Manager);
        // The runtime, its compiler and its assemblies: none of it is in a program that needs none.
        File.ReadLines($"/proc/{node.Process.Id}/maps").Select(static line => Path.GetFileName(line.Split(' ')[^1]))
            .Where(static file => file is "libcoreclr.so" or "libclrjit.so" || file.EndsWith(".dll", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public void An_init_that_hangs_is_said_while_it_lasts_and_ended_in_the_end()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: "echo waiting for the licence server\nsleep 1000"), startLimit: 3).Ready();
        var task = node.Submit("echo", "[1]");
        // An early one may come before init has said anything.
        node.Eventually(() => node.Notes.Contains("it said last: waiting for the licence server", StringComparison.Ordinal), "a note while it starts, with what it said");
        node.Notes.ShouldContain("workers.init is starting since");
        node.Endpoint.First(task).ShouldBeNull();
        var answer = node.Result(task);
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
        answer.Value.ShouldContain("workers.init had not ended on node node1 after 3 s and was ended: waiting for the licence server");
        node.Eventually(() => node.Left().Count == 0, "its processes to be gone");
    }

    [Fact]
    public void A_note_about_a_slow_start_goes_when_it_has_succeeded()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: "sleep 3"), startLimit: 30).Ready();
        var task = node.Submit("echo", "[1]");
        node.Eventually(() => node.Notes.Contains("workers.init is starting since 1 s, without a word", StringComparison.Ordinal), "a note while it starts");
        node.Result(task).Value.ShouldBe("1");
        node.Eventually(() => node.Endpoint.Statuses.Last().RootElement.GetProperty("note").GetString() == "", "a status without a note");
    }

    [Theory]
    [InlineData("echo 3.99.1", "3.99.1")]
    [InlineData("echo 3.99.1; exit 1", null)]
    [InlineData("exit 0", null)]
    [InlineData("kill -9 $$", null)]
    public void Which_runtimes_the_node_has_is_found_out_when_it_is_asked_and_told_again(string python, string? version)
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(init: "export PATH=$PATH:/nowhere", python: Path.Combine(folder, "python"))).Ready();
        node.Write("python", $"#!/bin/sh\n{python}\n", executable: true);
        Told().ShouldBeEmpty("nobody has asked");

        for (var times = 1; times <= 2; times++)
        {
            node.Endpoint.Raw(FrameKind.Probe, []);
            node.Eventually(() => Told().Count >= times, "a status with the runtimes");
        }

        foreach (var runtimes in Told())
        {
            (runtimes.TryGetProperty("python", out var found) ? found.GetString() : null).ShouldBe(version);
            runtimes.GetProperty("dotnet").GetString().ShouldBe(Environment.Version.ToString());
            runtimes.GetProperty("cores").GetString().ShouldBe("3", "cores_per_worker of the settings");
            runtimes.GetProperty("accelerators").GetString().ShouldBe("0");
            int.Parse(runtimes.GetProperty("memory").GetString()!.Replace("MiB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
        }

        List<System.Text.Json.JsonElement> Told() =>
            [.. node.Endpoint.Statuses.Select(static status => status.RootElement).Where(static status => status.TryGetProperty("runtimes", out _)).Select(static status => status.GetProperty("runtimes"))];
    }

    [Fact]
    public void A_node_whose_init_fails_has_no_runtime()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: "exit 3")).Ready();
        node.Endpoint.Raw(FrameKind.Probe, []);
        node.Eventually(() => node.Endpoint.Statuses.Any(static status => status.RootElement.TryGetProperty("runtimes", out var runtimes) && !runtimes.EnumerateObject().Any()), "a status with no runtime");
    }

    [Fact]
    public void A_preload_that_hangs_is_ended_and_tried_again()
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(init: $"export PYTHONPATH={folder}", preload: ["stuck"]), startLimit: 3).Ready();
        node.Write("stuck.py", $"""
            import os, sys, time
            if not os.path.exists("{node.Folder}/once"):
                open("{node.Folder}/once", "w").close()
                print("connecting to the database", file=sys.stderr, flush=True)
                time.sleep(1000)
            """);
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Notes.ShouldContain("the zygote of owner ada (/usr/bin/python3, preload stuck) is starting since");
        node.Said.ShouldContain("the zygote of owner ada (/usr/bin/python3, preload stuck) failed: it had made no worker after 3 s and was ended: connecting to the database");
    }

    [Fact]
    public void A_worker_that_never_says_hello_is_ended_and_another_started()
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(perNode: 1, isolation: "spawn", python: Path.Combine(folder, "python")), startLimit: 2).Ready();
        node.Write("python", $"""
            #!/bin/sh
            [ -e {node.Folder}/once ] && exec /usr/bin/python3 "$@"
            touch {node.Folder}/once
            echo no licence >&2
            exec sleep 1000
            """, executable: true);
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Said.ShouldContain("it had not said hello after 2 s; it said last: no licence");
        node.Eventually(() => node.Left().Count == 1, "the first one to be gone");
    }

    [Fact]
    public void Preloaded_modules_are_imported_once_before_the_first_task()
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(init: $"export PYTHONPATH={folder}", preload: ["counted"])).Ready();
        node.Write("counted.py", $"import os\nwith open('{node.Folder}/imports', 'a') as f: print(os.getpid(), file=f)\n");
        node.Run("loaded", "[\"counted\"]").Value.ShouldBe("true");
        foreach (var id in Enumerable.Range(0, 4).Select(_ => node.Submit("nap", "[0.1]")).ToArray())
            node.Result(id).Value.ShouldBe("0.1");
        File.ReadAllLines(Path.Combine(node.Folder, "imports")).ShouldHaveSingleItem().ShouldBe(node.Run("zygote").Value);
    }

    [Fact]
    public void A_preload_that_is_missing_is_said_in_the_status_and_stops_no_other_task()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(preload: ["no_such_module"])).Ready();
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Eventually(() => node.Notes.Contains("preload of 'no_such_module' failed: ModuleNotFoundError: No module named 'no_such_module'", StringComparison.Ordinal), "a note");
    }

    [Fact]
    public void Why_workers_are_not_forked_is_said_in_the_status()
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(init: $"export PYTHONPATH={folder}", preload: ["threaded"])).Ready();
        node.Write("threaded.py", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n");
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Eventually(() => node.Notes.Contains("workers of owner ada: started fresh: the preloaded modules run 1 threads", StringComparison.Ordinal), "a note");
    }

    [Fact]
    public void The_last_words_of_a_chatty_interpreter_are_its_last()
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(python: Path.Combine(folder, "python"))).Ready();
        node.Write("python", "#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x >&2\necho the real reason >&2\nexit 3\n", executable: true);
        node.Run("echo", "[1]").Value.ShouldContain("xthe real reason\"");
    }

    [Fact]
    public void The_last_words_of_a_chatty_init_are_its_last()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: "head -c 300000 /dev/zero | tr '\\0' x\necho the real reason\nfalse")).Ready();
        node.Run("echo", "[1]").Value.ShouldContain("xthe real reason\"");
    }

    [Theory]
    [InlineData(false, "#!/bin/sh", "Permission denied")]
    [InlineData(true, "#!/no/such/interpreter", "No such file or directory")]
    public void An_interpreter_that_cannot_be_started_is_named_with_the_systems_reason(bool executable, string text, string reason)
    {
        foreach (var isolation in new[] { "fork", "spawn" })
        {
            using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(python: Path.Combine(folder, "python3.99"), isolation: isolation)).Ready();
            var path = node.Write("python3.99", text + "\n", executable);
            var answer = node.Run("echo", "[1]");
            answer.Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
            answer.Value.ShouldContain($"it could not be started: {path}: {reason}");
        }
    }

    [Fact]
    public void No_word_of_the_init_stands_in_an_argument_list()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(
            init: "export SITE=secret-word\nexport LISTS=\"$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c secret-word)\"")).Ready();
        node.Run("variable", "[\"SITE\"]").Value.ShouldBe("\"secret-word\"");
        // The one is grep's own.
        node.Run("variable", "[\"LISTS\"]").Value.ShouldBeOneOf("\"0\"", "\"1\"");
    }

    [Theory]
    [InlineData("fork", "027", "\"0o640\"")]
    [InlineData("spawn", "002", "\"0o664\"")]
    public void Files_of_functions_get_the_users_umask(string isolation, string umask, string mode)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(isolation: isolation), umask: umask).Ready();
        node.Run("created", $"[\"{Path.Combine(node.Folder, "made")}\"]").Value.ShouldBe(mode);
        node.Run("environment").Value.ShouldNotContain("UMASK");
    }

    [Theory]
    [InlineData(FrameKind.Owner, "{")]
    [InlineData(FrameKind.Owner, "null")]
    [InlineData(FrameKind.Ack, "abc")]
    public void A_broken_frame_of_the_endpoint_is_blamed_on_the_connection(FrameKind kind, string body)
    {
        using var node = new NodeUnderTest().Ready();
        node.Endpoint.Raw(kind, System.Text.Encoding.UTF8.GetBytes(body));
        node.Eventually(() => node.Endpoint.Connections == 2, "the second connection");
        node.Said.ShouldContain("connection to endpoint 127.0.0.1:");
        node.Said.ShouldContain($"a frame of kind {kind}");
        node.Said.ShouldNotContain("rendezvous file");
    }
}
