using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>The bounds of what is tried again, and that a worker which is of no use does not come again and again.</summary>
public sealed class BackOffTests
{
    private const long Second = 1_000_000;

    [Theory]
    [InlineData(0.0, 0.75)]
    [InlineData(0.5, 1.0)]
    [InlineData(1.0, 1.25)]
    public void The_link_is_tried_again_after_50_ms_then_twice_as_long_up_to_2_s_and_anew_after_a_connection(double chance, double factor)
    {
        var backOff = new LinkBackOff(new Chance(chance));
        for (var round = 0; round < 2; round++)
        {
            foreach (var milliseconds in (int[])[50, 100, 200, 400, 800, 1600, 2000, 2000, 2000])
                backOff.Next().TotalMilliseconds.ShouldBe(milliseconds * factor, 0.001);
            backOff.Reset();
        }
    }

    [Fact]
    public void Two_managers_do_not_dial_in_step()
    {
        var pauses = Enumerable.Range(0, 1_000).Select(static seed => new LinkBackOff(new Random(seed)).Next()).ToList();
        pauses.ShouldAllBe(static pause => pause >= LinkBackOff.First * 0.75 && pause <= LinkBackOff.First * 1.25);
        (pauses.Max() - pauses.Min()).ShouldBeGreaterThan(LinkBackOff.First * 0.4);
    }

    [Fact]
    public void A_start_is_tried_again_at_once_then_after_400_ms_and_with_the_third_failure_tasks_are_turned_away()
    {
        foreach (var (bySignal, hold) in new[] { (false, 30 * Second), (true, Second) })
        {
            var backOff = new StartBackOff();
            for (var now = 5 * Second; now < 500 * Second; now = backOff.HeldUntil)
            {
                backOff.Failed(now, bySignal, othersMayServe: false).ShouldBeFalse();
                backOff.RetryAt.ShouldBe(now);
                backOff.Failed(now, bySignal, othersMayServe: false).ShouldBeFalse();
                backOff.RetryAt.ShouldBe(now + 400_000);
                now = backOff.RetryAt;
                backOff.HeldUntil.ShouldBeLessThanOrEqualTo(now);
                backOff.Failed(now, bySignal, othersMayServe: false).ShouldBeTrue();
                (backOff.HeldUntil, backOff.RetryAt).ShouldBe((now + hold, now + hold));
            }
        }
    }

    [Fact]
    public void While_other_workers_serve_pauses_double_up_to_half_a_minute_and_no_task_is_turned_away()
    {
        var backOff = new StartBackOff();
        var now = 5 * Second;
        foreach (var pause in (long[])[0, 400, 800, 1600, 3200, 6400, 12800, 25600, .. Enumerable.Repeat(30_000L, 200)])
        {
            backOff.Failed(now, bySignal: false, othersMayServe: true).ShouldBeFalse();
            backOff.RetryAt.ShouldBe(now + (pause * 1000));
            now = backOff.RetryAt;
        }

        backOff.HeldUntil.ShouldBe(0);
        backOff.Served();
        backOff.Failed(now, bySignal: false, othersMayServe: true);
        backOff.RetryAt.ShouldBe(now);
    }

    [Fact]
    public void A_worker_that_serves_begins_the_count_anew()
    {
        var backOff = new StartBackOff();
        for (var now = Second; now < 100 * Second; now += Second)
        {
            backOff.Failed(now, bySignal: false, othersMayServe: false).ShouldBeFalse();
            backOff.Failed(now, bySignal: false, othersMayServe: false).ShouldBeFalse();
            backOff.Served();
        }
    }

    [Fact]
    public void What_fails_together_counts_once_and_tasks_are_told_with_the_last_of_it()
    {
        var backOff = new StartBackOff();
        var now = 5 * Second;
        backOff.Failed(now, bySignal: false, othersMayServe: true).ShouldBeFalse();
        for (var start = 0; start < 64; start++)
            backOff.Failed(now + start, bySignal: false, othersMayServe: true).ShouldBeFalse();
        backOff.RetryAt.ShouldBe(now + 400_000);
        now = backOff.RetryAt;
        for (var start = 0; start < 63; start++)
            backOff.Failed(now + start, bySignal: false, othersMayServe: true).ShouldBeFalse();
        backOff.RetryAt.ShouldBe(now + 800_000);
        backOff.Failed(now + 63, bySignal: false, othersMayServe: false).ShouldBeTrue();
        backOff.HeldUntil.ShouldBe(now + 63 + (30 * Second));
    }

    [Fact]
    public void A_worker_that_serves_after_all_ends_what_was_held()
    {
        var backOff = new StartBackOff();
        backOff.Refuse(Second);
        backOff.Served();
        (backOff.HeldUntil, backOff.RetryAt).ShouldBe((0, 0));
    }

    [Fact]
    public void A_refusal_holds_whatever_fails_while_it_lasts()
    {
        var backOff = new StartBackOff();
        backOff.Refuse(Second);
        backOff.Failed(2 * Second, bySignal: true, othersMayServe: false);
        backOff.Failed(2 * Second, bySignal: true, othersMayServe: false);
        backOff.Failed(2 * Second, bySignal: true, othersMayServe: false);
        (backOff.HeldUntil, backOff.RetryAt).ShouldBe((31 * Second, 31 * Second));
    }

    [Fact]
    public void A_worker_that_says_hello_and_ends_before_its_first_task_is_tried_three_times_and_its_tasks_are_told()
    {
        using var node = Node(deaths: int.MaxValue, out var starts);
        var tasks = Enumerable.Range(0, 5).Select(_ => node.Submit("echo", "[1]")).ToArray();
        foreach (var task in tasks)
        {
            var answer = node.Result(task);
            answer.Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
            answer.Value.ShouldContain("a worker of owner ada ended before its first task, with exit status 3: no licence is left");
        }

        File.ReadAllLines(starts).Length.ShouldBe(StartBackOff.Most);
        // While it holds a task is answered without another try.
        node.Run("echo", "[2]").Prefix.Outcome.ShouldBe(TaskOutcome.Rejected);
        File.ReadAllLines(starts).Length.ShouldBe(StartBackOff.Most);
        node.Endpoint.Results.Values.ShouldAllBe(answers => answers.Count == 1);
    }

    [Fact]
    public void A_worker_that_is_right_the_third_time_runs_what_waited()
    {
        using var node = Node(deaths: 2, out var starts);
        node.Run("echo", "[1]").Value.ShouldBe("1");
        var times = File.ReadAllLines(starts).Select(double.Parse).ToArray();
        times.Length.ShouldBe(3);
        (times[2] - times[1]).ShouldBeGreaterThanOrEqualTo(0.4);
    }

    [Fact]
    public void A_worker_that_starts_slowly_runs_what_waited_while_all_others_come_to_nothing()
    {
        using var node = new NodeUnderTest(folder => NodeUnderTest.Settings(perNode: 4, isolation: "spawn", python: Path.Combine(folder, "python")));
        node.Write("python", $$"""
            #!/usr/bin/python3
            import os, sys, time
            try:
                os.mkdir("{{node.Folder}}/first")
            except FileExistsError:
                sys.exit("no licence is left")
            # The others are tried again at once, after 0.4 s and after 0.8 s more.
            time.sleep(2.5)
            os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv[1:])
            """, executable: true);
        node.Ready();
        var tasks = Enumerable.Range(0, 40).Select(number => node.Submit("echo", $"[{number}]")).ToArray();
        for (var number = 0; number < tasks.Length; number++)
            node.Result(tasks[number]).Value.ShouldBe($"{number}");
    }

    // A node whose workers say hello and end with the words of a licence server, so many times.
    private static NodeUnderTest Node(int deaths, out string starts)
    {
        var node = new NodeUnderTest(folder => NodeUnderTest.Settings(perNode: 1, isolation: "spawn", python: Path.Combine(folder, "python")));
        starts = Path.Combine(node.Folder, "starts");
        node.Write("python", $$"""
            #!/usr/bin/python3
            import json, os, struct, sys, time
            with open("{{starts}}", "a") as file:
                file.write("%r\n" % time.time())
            if len(open("{{starts}}").readlines()) > {{deaths}}:
                os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv[1:])
            body = json.dumps({"role": "worker", "version": "0.1.0", "protocol_minimum": 1, "protocol_maximum": 1, "pid": os.getpid(), "window": 8, "ring": True}).encode()
            os.write(0, struct.pack("<IB59x", 64 + len(body), 1) + body)
            sys.stderr.write("no licence is left\n")
            sys.stderr.flush()
            os._exit(3)
            """, executable: true);
        return node.Ready();
    }

    private sealed class Chance(double value) : Random
    {
        public override double NextDouble() => value;
    }
}
