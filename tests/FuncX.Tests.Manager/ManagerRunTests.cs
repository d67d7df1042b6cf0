using System.Diagnostics;
using System.Text.Json;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class ManagerRunTests
{
    [Fact]
    public void Ten_thousand_calls_come_back_right()
    {
        using var node = new NodeUnderTest().Ready();
        var function = node.Function("echo");
        var ids = Enumerable.Range(0, 10_000).Select(_ => node.NewId()).ToArray();
        foreach (var chunk in ids.Chunk(500))
            node.Endpoint.Tasks(chunk.Select(id => (id, $"[{id.Index * 3}]")), function, 1);
        node.Eventually(() => node.Endpoint.Results.Count == ids.Length, "all results");
        foreach (var id in ids)
        {
            var answer = node.Endpoint.Results[id].ShouldHaveSingleItem();
            answer.Value.ShouldBe($"{id.Index * 3}");
            answer.Prefix.Outcome.ShouldBe(TaskOutcome.Value);
            answer.Header.Ticket.ShouldBe(id.Index + 1000);
            answer.Header.Function.ShouldBe(function);
            answer.Header.Epoch.ShouldBe(7u);
            answer.Prefix.ManagerReceived.ShouldBeGreaterThan(0);
            answer.Prefix.WorkerStarted.ShouldBeGreaterThanOrEqualTo(answer.Prefix.ManagerReceived);
        }
    }

    [Fact]
    public void A_worker_that_crashes_loses_only_the_task_it_ran()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        node.Run("echo", "[1]").Value.ShouldBe("1");
        var before = Enumerable.Range(0, 200).Select(i => node.Submit("echo", $"[{i}]")).ToArray();
        var crash = node.Submit("crash");
        var after = Enumerable.Range(0, 200).Select(i => node.Submit("echo", $"[{i}]")).ToArray();
        foreach (var id in before.Concat(after))
            node.Result(id).Prefix.Outcome.ShouldBe(TaskOutcome.Value);
        var lost = node.Result(crash);
        lost.Prefix.Outcome.ShouldBe(TaskOutcome.AttemptLost);
        lost.Prefix.Code.ShouldBe((short)-11);
        lost.Value.ShouldContain("died of signal 11 (SIGSEGV)");
        lost.Header.Ticket.ShouldBe(crash.Index + 1000);
        node.Endpoint.Results.Values.ShouldAllBe(answers => answers.Count == 1);
    }

    [Fact]
    public void An_exit_status_is_told()
    {
        using var node = new NodeUnderTest().Ready();
        var lost = node.Run("leave", "[3]");
        lost.Prefix.Outcome.ShouldBe(TaskOutcome.AttemptLost);
        lost.Prefix.Code.ShouldBe((short)3);
        lost.Value.ShouldContain("exit status 3");
    }

    [Fact]
    public void A_task_over_its_walltime_is_ended_and_its_neighbours_run_elsewhere()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        node.Run("echo", "[1]");
        var watch = Stopwatch.StartNew();
        var slow = node.Submit("nap", "[60]", tweak: options => options.WalltimeMilliseconds = 400);
        var stubborn = node.Submit("stubborn", "[60]", tweak: options => options.WalltimeMilliseconds = 300);
        var neighbours = Enumerable.Range(0, 20).Select(i => node.Submit("echo", $"[{i}]")).ToArray();
        var answer = node.Result(slow);
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.TimedOut);
        answer.Value.ShouldContain("400 ms");
        watch.Elapsed.TotalSeconds.ShouldBeInRange(0.3, 3);
        node.Result(stubborn).Prefix.Outcome.ShouldBe(TaskOutcome.TimedOut);
        foreach (var id in neighbours)
            node.Result(id).Prefix.Outcome.ShouldBe(TaskOutcome.Value);
    }

    [Fact]
    public void Queued_and_running_tasks_are_cancelled()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        var running = node.Start("nap", "60");
        var queued = Enumerable.Range(0, 50).Select(i => node.Submit("nap", "[60]")).ToArray();
        foreach (var id in queued)
            node.Endpoint.Cancel(id);
        foreach (var id in queued)
            node.Result(id).Prefix.Outcome.ShouldBe(TaskOutcome.Cancelled);
        node.Endpoint.First(running).ShouldBeNull();
        node.Endpoint.Cancel(running);
        node.Result(running).Prefix.Outcome.ShouldBe(TaskOutcome.Cancelled);
        node.Run("echo", "[2]").Value.ShouldBe("2");
    }

    [Fact]
    public void Results_without_an_acknowledgement_come_again_on_the_next_connection()
    {
        using var node = new NodeUnderTest().Ready();
        node.Endpoint.Acknowledges = false;
        var ids = Enumerable.Range(0, 300).Select(i => node.Submit("echo", $"[{i}]")).ToArray();
        node.Eventually(() => node.Endpoint.Results.Count == ids.Length, "all results");
        var running = node.Start("nap", "1");
        node.Endpoint.Inventory.Clear();
        node.Endpoint.Disconnect();
        node.Eventually(() => node.Endpoint.Connections == 2, "the second connection");
        node.Eventually(() => ids.All(id => node.Endpoint.Results[id].Count == 2), "every result a second time");
        var inventory = node.Endpoint.Inventory.ToDictionary(entry => entry.Task, entry => entry.State);
        inventory.Count.ShouldBe(301);
        inventory[running].ShouldBe(HeldState.Running);
        inventory[ids[0]].ShouldBe(HeldState.Finished);
        node.Endpoint.Acknowledges = true;
        node.Result(running).Value.ShouldBe("1");

        node.Eventually(() => node.Endpoint.Connected, "the connection");
        node.ForgetFunctions();
        node.Endpoint.Owner(1, "ada");
        node.Run("nap", "[0.01]").Value.ShouldBe("0.01");
        node.Endpoint.Inventory.Clear();
        node.Endpoint.Disconnect();
        node.Eventually(() => node.Endpoint.Connections == 3, "the third connection");
        node.Eventually(() => node.Endpoint.Connected, "the connection");
        node.ForgetFunctions();
        node.Endpoint.Owner(1, "ada");
        // Held results go before new ones: once this one is here, nothing acknowledged has come a third time.
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Endpoint.Results[ids[0]].Count.ShouldBe(2);
    }

    [Fact]
    public void A_function_told_again_on_a_new_connection_is_the_one_its_workers_know()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        node.Run("count").Value.ShouldBe("1");
        node.Endpoint.Disconnect();
        node.Eventually(() => node.Endpoint is { Connections: 2, Connected: true }, "the second connection");
        node.ForgetFunctions();
        node.Endpoint.Owner(1, "ada");
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Run("count").Value.ShouldBe("2");
    }

    [Fact]
    public void The_sites_walltime_ends_a_task_that_has_none_or_a_longer_one()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(walltimeMs: 300)).Ready();
        node.Run("echo", "[1]");
        var none = node.Submit("nap", "[60]");
        var longer = node.Submit("nap", "[60]", tweak: options => options.WalltimeMilliseconds = 60_000);
        foreach (var id in new[] { none, longer })
        {
            node.Result(id).Prefix.Outcome.ShouldBe(TaskOutcome.TimedOut);
            node.Result(id).Value.ShouldContain("walltime of 300 ms");
        }
    }

    [Fact]
    public void Two_owners_never_share_a_worker()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        var ada = new HashSet<string>();
        var bob = new HashSet<string>();
        var tasks = Enumerable.Range(0, 60).Select(i => (Owner: (uint)(1 + (i % 2)), Id: node.Submit("nap_then_pid", "[0.01]", (uint)(1 + (i % 2))))).ToArray();
        foreach (var (owner, id) in tasks)
            (owner == 1 ? ada : bob).Add(node.Result(id).Value);
        ada.Overlaps(bob).ShouldBeFalse();
        node.Run("where", owner: 1).Value.ShouldNotBe(node.Run("where", owner: 2).Value);
    }

    [Fact]
    public void An_owner_gets_a_slot_from_one_who_holds_them_all()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        var many = Enumerable.Range(0, 400).Select(_ => node.Submit("nap", "[0.02]")).ToArray();
        node.Eventually(() => node.Endpoint.Results.Count > 4, "the first owner's workers are busy");
        node.Result(node.Submit("echo", "[5]", owner: 2), seconds: 3).Value.ShouldBe("5");
        node.Endpoint.Results.Count.ShouldBeLessThan(300);
    }

    [Fact]
    public void Killing_the_zygote_loses_only_what_ran()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        var zygote = int.Parse(node.Run("zygote").Value);
        var tasks = Enumerable.Range(0, 40).Select(_ => node.Submit("nap", "[0.05]")).ToArray();
        node.Eventually(() => node.Endpoint.Results.Count > 2, "the first results");
        using (Process.Start("kill", ["-KILL", zygote.ToString()]))
        {
        }

        var outcomes = tasks.Select(id => node.Result(id).Prefix.Outcome).ToArray();
        outcomes.Count(outcome => outcome == TaskOutcome.AttemptLost).ShouldBeInRange(0, 2);
        outcomes.ShouldAllBe(outcome => outcome == TaskOutcome.Value || outcome == TaskOutcome.AttemptLost);
        node.Endpoint.Results.Values.ShouldAllBe(answers => answers.Count == 1);
        int.Parse(node.Run("zygote").Value).ShouldNotBe(zygote);
    }

    [Fact]
    public void Killing_the_manager_leaves_no_process()
    {
        using var node = new NodeUnderTest().Ready();
        var left = int.Parse(node.Run("child").Value);
        node.Start("nap", "60");
        node.Start("stubborn", "60", owner: 2);
        node.Left().Count.ShouldBeGreaterThan(3);
        node.Process.Kill();
        node.Eventually(() => node.Left().Count == 0, "no process left");
        // Killed, it names no directory any more; its number goes when it is reaped.
        node.Eventually(() => !Directory.Exists($"/proc/{left}"), "the task's own child to be gone");
    }

    [Fact]
    public void Output_behind_the_workers_back_is_attributed_and_bounded()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(outputLimit: 10_000)).Ready();
        var raw = node.Run("raw", "[\"hello \"]");
        raw.Stdout.ShouldBe("hello from-child\n");
        raw.Stderr.ShouldBe("oops\n");
        var flood = node.Run("flood", "[200000]");
        flood.Stdout.Length.ShouldBeInRange(10_000, 10_200);
        flood.Stdout.ShouldContain("190000 more bytes");
        node.Run("echo", "[1]").Stdout.ShouldBe("");
    }

    [Theory]
    [InlineData(10)]
    [InlineData(400_000)]
    public void Output_behind_the_workers_back_comes_with_a_result_of_any_size(int bytes)
    {
        using var node = new NodeUnderTest().Ready();
        var answer = node.Run("echo_and_big", $"[{bytes}]");
        answer.Stdout.ShouldBe("raw-out\n");
        answer.Value.Length.ShouldBe(bytes + 2);
        answer.Header.ContentType.ShouldBe(ContentType.Json);
    }

    [Theory]
    [InlineData(300_000, 5_000, 10)]
    [InlineData(100, 5_000, 300_000)]
    [InlineData(400_000, 60_000, 2_000_000)]
    public void Both_kinds_of_output_share_one_limit(int printed, int raw, int value)
    {
        const int Limit = 350_000;
        using var node = new NodeUnderTest(NodeUnderTest.Settings(outputLimit: Limit)).Ready();
        var answer = node.Run("print_and_raw", $"[{printed}, {raw}, {value}]");
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.Value);
        answer.Value.Length.ShouldBe(value + 2);
        answer.Stdout.Count(letter => letter == 'p').ShouldBeInRange(Math.Min(printed, Limit), Math.Min(printed, Limit) + 10);
        if (printed + raw <= Limit)
            answer.Stdout.ShouldEndWith(new string('r', raw));
        else
            answer.Stdout.ShouldContain($"{raw} more bytes of output were cut; the limit is {Limit}");
    }

    [Fact]
    public void A_short_tasks_result_does_not_wait_for_the_long_one_behind_it()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        // Known as short, so that the long one is sent ahead behind a short one.
        for (var i = 0; i < 250; i++)
            node.Submit("wait_for", "[\"\", 1]");
        node.Eventually(() => node.Endpoint.Results.Count == 250, "warm");
        var go = Path.Combine(node.Folder, "go");
        var ids = Enumerable.Range(0, 3).Select(_ => node.NewId()).ToArray();
        node.Endpoint.Tasks([(ids[0], "[\"\", 1]"), (ids[1], $"[\"{go}\", 2]"), (ids[2], "[\"\", 3]")], node.Function("wait_for"), 1);
        node.Result(ids[0]).Value.ShouldBe("1");
        node.Endpoint.First(ids[1]).ShouldBeNull("the long one waits for the file that is written next");
        File.WriteAllText(go, "");
        node.Result(ids[1]).Value.ShouldBe("2");
        node.Result(ids[2]).Value.ShouldBe("3");
    }

    [Fact]
    public void Large_arguments_and_results_travel_in_segments()
    {
        using var node = new NodeUnderTest().Ready();
        node.Run("length", $"[\"{new string('x', 3_000_000)}\"]").Value.ShouldBe("3000000");
        node.Run("big", "[2500000]").Value.Length.ShouldBe(2_500_002);
        node.Run("big", "[100000]").Value.Length.ShouldBe(100_002);
        node.Run("big", "[250000]").Value.Length.ShouldBe(250_002);
    }

    [Fact]
    public void Init_runs_once_and_its_environment_reaches_workers_without_secrets()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: "export SITE=\"two words\"\necho hello from init")).Ready();
        node.Run("variable", "[\"SITE\"]").Value.ShouldBe("\"two words\"");
        node.Run("variable", "[\"OMP_NUM_THREADS\"]").Value.ShouldBe("\"3\"");
        node.Run("environment").Value.ShouldNotContain("FUNCX_TEST_SECRET");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("export FUNCX_FROM_INIT=secret")]
    public void Functions_see_the_accounts_environment_and_of_FuncX_only_the_nodes_name_and_their_place(string? init)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: init)).Ready();
        node.Run("variable", "[\"CLOUD_KEY\"]").Value.ShouldBe("\"of the account\"");
        JsonSerializer.Deserialize<string[]>(node.Run("environment").Value)!
            .Where(name => name.Contains("FUNCX", StringComparison.OrdinalIgnoreCase)).ShouldBe(["FUNCX_NODE", "FUNCX_WORKER_SLOT"]);
        node.Run("variable", "[\"FUNCX_NODE\"]").Value.ShouldBe("\"node1\"");
    }

    [Fact]
    public void A_failing_init_rejects_tasks_with_its_words()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(init: "echo no such module >&2\nfalse")).Ready();
        var answer = node.Run("echo", "[1]");
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
        answer.Value.ShouldContain("no such module");
        answer.Value.ShouldContain("exit status 1");
    }

    [Fact]
    public void A_missing_interpreter_rejects_tasks_and_names_it()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(python: "no-such-python")).Ready();
        var answer = node.Run("echo", "[1]");
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
        answer.Value.ShouldContain("no-such-python");
    }

    [Fact]
    public void An_interpreter_that_dies_rejects_tasks_with_its_last_words()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(python: "/bin/ls")).Ready();
        var answer = node.Run("echo", "[1]");
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
        answer.Value.ShouldContain("--zygote");
    }

    [Theory]
    [InlineData("spawn")]
    [InlineData("per_task")]
    public void Other_isolations_run_too(string isolation)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(isolation: isolation)).Ready();
        var pids = Enumerable.Range(0, 6).Select(_ => node.Submit("pid")).ToArray().Select(id => node.Result(id).Value).ToHashSet();
        pids.Count.ShouldBe(isolation == "per_task" ? 6 : pids.Count);
        node.Run("leave", "[4]").Prefix.Code.ShouldBe((short)4);
    }

    [Fact]
    public void Recalled_tasks_come_back_unstarted()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        node.Run("nap", "[0.02]");
        var running = node.Start("nap", "0.3");
        var tasks = Enumerable.Range(0, 29).Select(_ => node.Submit("nap", "[0.3]")).ToArray();
        node.Endpoint.Recall(10);
        node.Eventually(() => node.Endpoint.Returned.Count == 10, "ten returned tasks");
        node.Endpoint.Returned.ToArray().ShouldBe(tasks.Reverse().Take(10));
        node.Endpoint.Recall(100);
        node.Eventually(() => node.Endpoint.Returned.Count == 29, "all that wait");
        node.Result(running).Value.ShouldBe("0.3");
    }

    [Fact]
    public void A_task_whose_deadline_passes_in_the_queue_expires()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        node.Start("nap", "1.5");
        var deadline = ((DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) / 10) + 200_000;
        var late = node.Submit("echo", "[1]", tweak: options => options.DeadlineMicroseconds = deadline);
        node.Result(late, seconds: 1).Prefix.Outcome.ShouldBe(TaskOutcome.Expired);
    }

    [Fact]
    public void Draining_returns_what_waits_finishes_what_runs_and_ends()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        node.Run("nap", "[0.02]");
        var running = node.Start("nap", "0.6");
        for (var i = 0; i < 5; i++)
            node.Submit("nap", "[0.6]");
        node.Endpoint.Drain();
        // While the task runs: an endpoint that does not know goes on sending what only comes back.
        node.Eventually(() => node.Endpoint.Statuses.Any(static status => status.RootElement.TryGetProperty("draining", out var draining) && draining.GetBoolean()), "to be told that it drains");
        node.Endpoint.First(running).ShouldBeNull();
        node.Result(running).Value.ShouldBe("0.6");
        node.Eventually(() => node.Process.HasExited, "the end");
        node.Endpoint.Returned.Count.ShouldBe(5);
        node.Process.ExitCode.ShouldBe(0);
        node.Endpoint.Statuses.Last().RootElement.GetProperty("queued").GetInt32().ShouldBe(0);
    }

    [Fact]
    public void Idle_workers_end()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(idleMs: 200)).Ready();
        node.Run("echo", "[1]");
        node.Eventually(
            () => node.Endpoint.Statuses.LastOrDefault()?.RootElement is { } status && status.GetProperty("workers").GetInt32() == 0
                && status.GetProperty("hops").GetProperty("tasks_received").GetInt64() == 1,
            "a status without workers");
        node.Eventually(() => node.Left().Count == 0, "no process of it");
        node.Run("echo", "[2]").Value.ShouldBe("2");
    }

    [Fact]
    public void A_wrong_secret_is_refused_and_said()
    {
        using var node = new NodeUnderTest();
        node.Endpoint.Refuses = "wrong secret";
        node.Endpoint.Disconnect();
        node.Eventually(() => node.Process.HasExited, "the end", 25);
        node.Said.ShouldContain("refused this manager: wrong secret");
        node.Process.ExitCode.ShouldBe(77);
    }

    [Fact]
    public void Without_an_endpoint_patience_ends()
    {
        using var node = new NodeUnderTest(patience: 1).Ready();
        node.Run("echo", "[1]");
        node.Endpoint.Dispose();
        node.Eventually(() => node.Process.HasExited, "the end");
        node.Process.ExitCode.ShouldBe(75);
        node.Said.ShouldContain("patience is 1 s");
        node.Left().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("before-worker-send")]
    [InlineData("after-worker-send:1")]
    [InlineData("before-result-send")]
    [InlineData("after-result-send")]
    public void A_fail_point_kills_the_manager_and_nothing_stays(string point)
    {
        using var node = new NodeUnderTest(failPoint: point).Ready();
        node.Submit("echo", "[1]");
        node.Eventually(() => node.Process.HasExited, "the kill");
        node.Process.ExitCode.ShouldBe(137);
        node.Eventually(() => node.Left().Count == 0, "no process left");
    }

    [Fact]
    public void Durations_that_change_do_not_hold_tasks_behind_a_long_one()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        for (var i = 0; i < 100; i++)
            node.Run("wait_for", "[\"\", 1]");
        // Well-known as quick, then one that ends only after all the others have come back.
        var go = Path.Combine(node.Folder, "go");
        var slow = node.NewId();
        var quick = Enumerable.Range(0, 300).Select(_ => node.NewId()).ToArray();
        node.Endpoint.Tasks(new[] { (slow, $"[\"{go}\", 7]") }.Concat(quick.Select(id => (id, "[\"\", 1]"))), node.Function("wait_for"), 1);
        node.Eventually(() => quick.All(id => node.Endpoint.First(id) is not null), "the quick ones");
        node.Endpoint.First(slow).ShouldBeNull();
        File.WriteAllText(go, "");
        node.Result(slow).Value.ShouldBe("7");
        node.Endpoint.Results.Values.ShouldAllBe(answers => answers.Count == 1);
    }
}
