using FuncX.Endpoint.Core;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointCoreTests
{
    private static readonly CoreSettings Settings = new() { WorkersPerManager = 2, Prefetch = 0, BlocksMax = 0 };

    [Fact]
    public void A_free_worker_anywhere_is_served_before_any_is_sent_ahead()
    {
        var test = new CoreUnderTest(Settings with { Prefetch = 2 });
        test.Manager("a");
        test.Manager("b");
        for (var i = 0; i < 2; i++)
            test.Task();
        test.Turn().ShouldBe(["send 0 to 0", "send 1 to 1"]);
        for (var i = 0; i < 2; i++)
            test.Task();
        test.Turn().ShouldBe(["send 2 to 0", "send 3 to 1"]);
        for (var i = 0; i < 8; i++)
            test.Task();
        test.Turn().ShouldBe(["send 4 to 0", "send 5 to 0", "send 6 to 0", "send 7 to 0", "send 8 to 1", "send 9 to 1", "send 10 to 1", "send 11 to 1"]);
        test.Task();
        test.Turn().ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1_000, 3)]
    [InlineData(1_000_000, 1)]
    public void Short_tasks_come_to_a_manager_as_many_as_it_has_workers_and_long_ones_to_all_alike(long microseconds, int together)
    {
        var test = new CoreUnderTest(Settings with { Prefetch = null, WorkersPerManager = 3 });
        for (var manager = 0; manager < 3; manager++)
        {
            test.Manager($"m{manager}");
            test.Task();
        }

        test.Turn();
        for (var ticket = 0; ticket < 3; ticket++)
            test.Result(ticket, ticket, (uint)ticket, microseconds);
        for (var i = 0; i < 3; i++)
            test.Task();
        test.Turn().GroupBy(static sent => sent.Split(" to ")[1]).Select(static sent => sent.Count()).ShouldAllBe(count => count == together);
    }

    [Theory]
    [InlineData(100, 5_000)]
    [InlineData(8_000, 17_000)]
    public void A_manager_that_stands_still_with_short_tasks_gets_none_ahead_until_its_next_result(long microseconds, int pause)
    {
        var test = new CoreUnderTest(Settings with { Prefetch = null, WorkersPerManager = 1 });
        test.Manager("a");
        test.Manager("b");
        for (var i = 0; i < 4; i++)
            test.Task();
        test.Turn().Count.ShouldBe(4);
        test.Result(0, 0, 0, microseconds);
        test.Result(1, 1, 1, microseconds);
        test.Now += pause;
        test.Result(1, 3, 3, microseconds);
        for (var i = 4; i < 6; i++)
            test.Task();
        var sent = test.Turn();
        sent.Count.ShouldBe(2);
        sent.ShouldAllBe(static send => send.EndsWith(" to 1", StringComparison.Ordinal), "0 has had no result for too long");
        test.Result(0, 2, 2, microseconds);
        // Within twice what they last it is at work.
        test.Now += microseconds;
        test.Task();
        test.Task();
        test.Turn().ShouldContain(static send => send.EndsWith(" to 0", StringComparison.Ordinal));
    }

    [Fact]
    public void A_result_is_the_credit_for_the_next_task()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        for (var i = 0; i < 3; i++)
            test.Task();
        test.Turn().ShouldBe(["send 0 to 0", "send 1 to 0"]);
        test.Result(0, 1, 1).ShouldBe(["forget 1", "send 2 to 0"]);
    }

    [Fact]
    public void Owners_take_turns_and_priorities_go_first_within_an_owner()
    {
        var test = new CoreUnderTest(Settings with { WorkersPerManager = 6 });
        test.Task(owner: 1);
        test.Task(owner: 1);
        test.Task(owner: 1, priority: 5);
        test.Task(owner: 2);
        test.Task(owner: 2);
        test.Task(owner: 3);
        test.Manager("a");
        test.Turn().ShouldBe(["send 2 to 0", "send 3 to 0", "send 5 to 0", "send 0 to 0", "send 4 to 0", "send 1 to 0"]);
    }

    [Fact]
    public void A_task_that_waits_past_its_deadline_expires()
    {
        var test = new CoreUnderTest(Settings);
        test.Task(deadline: test.Now + 500_000);
        test.Tick().ShouldBe(["end 0 Expired", "forget 0"]);
        test.Task(deadline: test.Now - 1);
        test.Manager("a");
        test.Turn().ShouldBe(["end 0 Expired", "forget 0"]);
        test.Core.Queued.ShouldBe(0);
    }

    [Fact]
    public void A_waiting_task_is_cancelled_at_once_and_a_sent_one_by_its_manager()
    {
        var test = new CoreUnderTest(Settings with { WorkersPerManager = 1 });
        test.Manager("a");
        test.Task();
        test.Task();
        test.Turn();
        test.Core.OnCancel(new HashSet<TaskId> { CoreUnderTest.Id(0), CoreUnderTest.Id(1), CoreUnderTest.Id(99) }, test.Effects);
        test.Effects.Take().ShouldBe(["cancel 0 at 0", "end 1 Cancelled", "forget 1"]);
        test.Result(0, 0, 0).ShouldBe(["forget 0"]);
    }

    [Fact]
    public void A_lost_managers_tasks_end_as_lost_attempts_after_the_grace()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Task();
        test.Turn();
        test.Core.OnManagerDisconnected(0, test.Now, test.Effects);
        test.Tick(4_000_000).ShouldBeEmpty();
        test.Tick(2_000_000).ShouldBe(["end 0 AttemptLost", "forget 0", "forget manager 0"]);
    }

    [Fact]
    public void A_managers_tasks_are_lost_at_once_when_its_block_has_ended()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Task();
        test.Turn();
        test.Core.OnManagerDisconnected(0, test.Now, test.Effects);
        test.Core.OnBlockEnded("x1", "killed", test.Now, test.Effects);
        test.Turn().ShouldBe(["end 0 AttemptLost", "forget 0", "forget manager 0"]);
    }

    [Fact]
    public void What_is_connected_of_a_block_that_has_ended_finishes_what_it_has_and_gets_nothing_more()
    {
        var test = new CoreUnderTest(new CoreSettings { WorkersPerManager = 1, Prefetch = 0, BlocksMax = 1, HeartbeatTimeout = long.MaxValue });
        test.Task();
        test.Turn().ShouldBe(["request b1"]);
        test.Core.HasBlock("b1").ShouldBeTrue();
        var (first, second, late) = (test.Manager("a", "b1"), test.Manager("b", "b1"), test.Core.OnManagerConnected("c", "b1", test.Now));
        test.Turn().ShouldBe(["send 0 to 0"]);
        test.Task();
        test.Turn().ShouldBe(["send 1 to 1"]);
        test.Core.OnBlockEnded("b1", "lost", test.Now, test.Effects);
        test.Core.HasBlock("b1").ShouldBeFalse();
        (test.Core.BlocksRunning, test.Core.ManagersReady, test.Core.Running).ShouldBe((0, 0, 2));

        // Neither one that has room again nor one that has only now said what it holds.
        test.Core.OnInventory(late, [], test.Now, test.Effects);
        test.Task();
        test.Result(first, 0, 0).ShouldBe(["forget 0"]);
        test.Tick().ShouldContain("request b2", "the block that has ended holds no place");

        // Nobody comes back who breaks off from now on.
        test.Core.OnManagerDisconnected(second, test.Now, test.Effects);
        test.Turn().ShouldBe(["end 1 AttemptLost", "forget 1", "forget manager 1"]);
        var fresh = test.Manager("d", "b2");
        test.Turn().ShouldBe([$"send 2 to {fresh}"]);
    }

    [Fact]
    public void A_manager_that_comes_back_keeps_what_it_holds_and_gets_again_what_never_arrived()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Task();
        test.Task();
        test.Turn();
        test.Core.OnManagerDisconnected(0, test.Now, test.Effects);
        test.Manager("a", "x1", new InventoryEntry(CoreUnderTest.Id(1), 1, HeldState.Running)).ShouldBe(0);
        test.Turn().ShouldBe(["send 0 to 0"]);
        test.Core.Running.ShouldBe(2);
    }

    [Fact]
    public void Tasks_that_a_manager_holds_from_before_a_restart_are_adopted()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a", "x1", new InventoryEntry(CoreUnderTest.Id(7), 2, HeldState.Running), new InventoryEntry(CoreUnderTest.Id(8), 1, HeldState.Finished));
        test.Core.Running.ShouldBe(2);
        test.Task();
        test.Turn().ShouldBeEmpty();
        test.Core.OnResult(0, 12345, CoreUnderTest.Id(7), 2, 10, test.Now, test.Effects, out _).ShouldBeTrue();
        test.Turn().ShouldBe(["forget 0", "send 2 to 0"]);
        test.Core.OnResult(0, 1, CoreUnderTest.Id(8), 2, 10, test.Now, test.Effects, out _).ShouldBeFalse();
        test.Core.OnResult(0, 99, CoreUnderTest.Id(8), 1, 10, test.Now, test.Effects, out _).ShouldBeTrue();
    }

    [Fact]
    public void A_silent_manager_is_closed()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Tick(6_000_000).ShouldBe(["close 0 of x1", "forget manager 0"]);
        test.Core.ManagersReady.ShouldBe(0);
    }

    [Fact]
    public void A_task_lost_twice_runs_with_nothing_beside_it()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Task();
        test.Turn().ShouldBe(["send 0 to 0"]);
        test.Task(alone: true);
        test.Task();
        test.Turn().ShouldBeEmpty();
        test.Result(0, 0, 0).ShouldBe(["forget 0", "send 1 to 0"]);
        test.Turn().ShouldBeEmpty();
        test.Result(0, 1, 1).ShouldBe(["forget 1", "send 2 to 0"]);
    }

    [Fact]
    public void A_blocked_manager_gets_nothing_until_it_has_room()
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Core.OnManagerBlocked(0, true);
        test.Task();
        test.Turn().ShouldBeEmpty();
        test.Core.OnManagerBlocked(0, false);
        test.Turn().ShouldBe(["send 0 to 0"]);
    }

    [Fact]
    public void Large_bodies_are_not_sent_ahead_beyond_the_limit_of_bytes()
    {
        var test = new CoreUnderTest(Settings with { WorkersPerManager = 1, Prefetch = 100, BytesPerManager = 1000 });
        test.Manager("a");
        for (var i = 0; i < 5; i++)
            test.Task(bytes: 600);
        test.Turn().ShouldBe(["send 0 to 0", "send 1 to 0"]);
    }

    [Fact]
    public void Prefetch_follows_durations_both_ways_within_two_results()
    {
        var test = new CoreUnderTest(Settings with { Prefetch = null, WorkersPerManager = 1 });
        test.Manager("a");
        test.Core.AheadOf(0).ShouldBe(1);
        for (var i = 0; i < 6; i++)
            test.Task();
        test.Turn().Count.ShouldBe(2);
        test.Result(0, 0, 0, 10);
        test.Core.AheadOf(0).ShouldBe(1000);
        test.Result(0, 1, 1, 10_000_000);
        test.Core.AheadOf(0).ShouldBe(0);
        test.Result(0, 2, 2, 1);
        test.Core.AheadOf(0).ShouldBe(0);
        test.Result(0, 3, 3, 1);
        test.Core.AheadOf(0).ShouldBe(1024);
    }

    [Fact]
    public void Tasks_sent_ahead_to_a_manager_that_is_behind_are_recalled_for_a_free_one()
    {
        var test = new CoreUnderTest(Settings with { Prefetch = 4, WorkersPerManager = 1 });
        test.Manager("a");
        for (var i = 0; i < 5; i++)
            test.Task();
        test.Turn().Count.ShouldBe(5);
        test.Manager("b");
        test.Turn().ShouldBeEmpty();
        test.Tick(11_000).ShouldBe(["recall 1 from 0"]);
        test.Core.OnReturned(0, 4, CoreUnderTest.Id(4), 1, test.Effects);
        test.Turn().ShouldBe(["send 4 to 1"]);
    }

    [Fact]
    public void Short_tasks_behind_a_long_one_are_recalled_as_many_as_a_free_worker_does_meanwhile()
    {
        var test = new CoreUnderTest(Settings with { Prefetch = null, WorkersPerManager = 1 });
        test.Manager("a");
        for (var i = 0; i < 12; i++)
            test.Task();
        test.Turn().Count.ShouldBe(2);
        test.Result(0, 0, 0, 1_000).Count(static said => said.StartsWith("send", StringComparison.Ordinal)).ShouldBe(10);
        test.Manager("b");
        test.Turn().ShouldBeEmpty();
        test.Tick(11_000).ShouldBe(["recall 10 from 0"]);
    }

    [Fact]
    public void A_manager_that_takes_no_more_gets_no_more_and_is_told_what_was_cancelled()
    {
        var test = new CoreUnderTest(Settings with { Prefetch = 1, WorkersPerManager = 1 });
        test.Manager("a");
        test.Task();
        test.Task();
        test.Turn().ShouldBe(["send 0 to 0", "send 1 to 0"]);

        test.Core.OnManagerLeaving(0);
        test.Core.OnReturned(0, 1, CoreUnderTest.Id(1), 1, test.Effects);
        test.Turn().ShouldBeEmpty("what it gave back must not go there again");
        test.Core.OnCancel(new HashSet<TaskId> { CoreUnderTest.Id(0) }, test.Effects);
        test.Turn().ShouldBe(["cancel 0 at 0"]);
        test.Manager("b");
        test.Turn().ShouldBe(["send 1 to 1"]);
    }

    [Fact]
    public void Blocks_follow_demand_between_minimum_and_maximum_and_idle_ones_end()
    {
        var test = new CoreUnderTest(new CoreSettings { WorkersPerManager = 2, Prefetch = 0, BlocksMin = 1, BlocksMax = 3, BlockIdle = 2_000_000, BlockPrefix = "b-" });
        test.Tick().ShouldBe(["request b-1"]);
        for (var i = 0; i < 5; i++)
            test.Task();
        test.Turn().ShouldBe(["request b-2", "request b-3"]);
        test.Core.OnBlockRunning("b-1");
        test.Core.OnBlockRunning("b-2");
        test.Core.OnBlockEnded("b-3", "no such partition", test.Now, test.Effects);
        test.Core.Note.ShouldContain("no such partition");
        test.Turn().ShouldBeEmpty();
        test.Tick(2_000_000).ShouldBe(["request b-4"]);
        test.Core.OnCancel(new HashSet<TaskId>(Enumerable.Range(0, 5).Select(i => CoreUnderTest.Id((uint)i))), test.Effects);
        test.Effects.Take();
        test.Manager("a", "b-1");
        test.Manager("b", "b-2");
        test.Core.Note.ShouldBe("");
        test.Tick();
        for (var i = 0; i < 3; i++)
        {
            test.Core.OnHeard(0, test.Now);
            test.Core.OnHeard(1, test.Now);
            var said = test.Tick();
            if (said.Count == 0)
                continue;
            said.ShouldBe(["end block b-1", "end block b-4"]);
            test.Task();
            test.Turn().ShouldBe(["send 4 to 1"]);
            return;
        }

        Assert.Fail("no idle block was ended");
    }

    [Fact]
    public void The_initial_blocks_are_asked_for_once_and_without_demand()
    {
        var test = new CoreUnderTest(new CoreSettings { BlocksInit = 2, BlocksMin = 0, BlocksMax = 4, BlockPrefix = "b-" });
        test.Tick().ShouldBe(["request b-1", "request b-2"]);
        test.Tick().ShouldBeEmpty();
        test.Core.OnBlockEnded("b-1", "cancelled", test.Now, test.Effects);
        test.Core.OnBlockEnded("b-2", "cancelled", test.Now, test.Effects);
        test.Tick(600_000_000).ShouldBeEmpty("the minimum is none, and nothing waits");
        test.Task();
        test.Turn().ShouldBe(["request b-3"]);
    }

    [Theory]
    [InlineData(1, 8, 4)]
    [InlineData(0.5, 8, 2)]
    [InlineData(0.5, 9, 3)]
    [InlineData(0.5, 1, 1)]
    public void Parallelism_is_the_share_of_the_tasks_that_workers_are_asked_for(double parallelism, int tasks, int blocks)
    {
        var test = new CoreUnderTest(new CoreSettings { WorkersPerManager = 2, BlocksMax = 10, Parallelism = parallelism });
        for (var i = 0; i < tasks; i++)
            test.Task();
        test.Turn().ShouldBe(Enumerable.Range(1, blocks).Select(static block => $"request b{block}"));
        test.Tick().ShouldBeEmpty();
    }

    [Fact]
    public void A_task_just_before_a_block_has_been_idle_long_enough_saves_it_for_the_whole_time_again()
    {
        const int Idle = 10;
        var test = new CoreUnderTest(new CoreSettings { WorkersPerManager = 1, Prefetch = 0, BlocksMax = 1, BlockIdle = Idle * 1_000_000, HeartbeatTimeout = long.MaxValue });
        test.Task();
        test.Turn().ShouldBe(["request b1"]);
        test.Manager("a", "b1");
        test.Turn().ShouldBe(["send 0 to 0"]);
        test.Result(0, 0, 0).ShouldBe(["forget 0"]);

        // From the first tick on it is idle; the task comes a second before the end.
        StaysFor(Idle);
        test.Task();
        test.Turn().ShouldBe(["send 0 to 0"]);
        StaysFor(2 * Idle);
        test.Result(0, 0, 1).ShouldBe(["forget 0"]);
        StaysFor(Idle);
        test.Tick().ShouldBe(["end block b1"]);

        void StaysFor(int ticks)
        {
            for (var tick = 0; tick < ticks; tick++)
                test.Tick().ShouldBeEmpty($"tick {tick}");
        }
    }

    [Fact]
    public void Why_blocks_wait_is_said_for_as_long_as_it_is_why_nothing_runs()
    {
        var test = new CoreUnderTest(new CoreSettings { WorkersPerManager = 1, BlocksMax = 2, BlockPrefix = "b-" });
        test.Task();
        test.Task();
        test.Turn().ShouldBe(["request b-1", "request b-2"]);
        const string Waits = "no block yet: 2 requested, waiting for the first manager";
        test.Core.Note.ShouldBe(Waits);
        test.Core.OnBlockPending("b-2", "Can Never Run");
        test.Core.Note.ShouldBe($"{Waits}; block b-2 waits: Can Never Run");
        test.Core.OnBlockPending("b-2", "Priority");
        test.Core.OnBlockPending("nobody's", "Can Never Run");
        test.Core.Note.ShouldBe($"{Waits}; block b-2 waits: Priority");

        // One that failed does not hide why the other one waits, and its end is the end of what was said of it.
        test.Core.OnBlockEnded("b-1", "no such partition", test.Now, test.Effects);
        test.Core.Note.ShouldStartWith("no block: block b-1 ended before a manager of it connected: no such partition; ");
        test.Core.Note.ShouldEndWith("; block b-2 waits: Priority");
        test.Core.OnBlockEnded("b-2", "cancelled", test.Now, test.Effects);
        test.Core.Note.ShouldNotContain("Priority");

        test.Tick(10_000_000).ShouldBe(["request b-3", "request b-4"]);
        test.Core.OnBlockPending("b-4", "Priority");
        test.Manager("one", "b-3");
        test.Core.Note.ShouldBe("", "with a manager there is nothing to explain");
        test.Core.OnManagerDisconnected(0, test.Now, test.Effects);
        test.Core.Note.ShouldBe("no block yet: 1 requested, waiting for the first manager; block b-4 waits: Priority");
        test.Core.OnBlockPending("b-4", "");
        test.Core.Note.ShouldBe("no block yet: 1 requested, waiting for the first manager");

        // A job that was put back into the queue waits, too.
        test.Core.OnBlockRunning("b-4");
        test.Core.Note.ShouldBe("no manager of a running block is connected");
        test.Core.OnBlockPending("b-4", "it ran once before");
        test.Core.Note.ShouldBe("no manager of a running block is connected; block b-4 waits: it ran once before");
    }

    [Fact]
    public void A_running_block_that_no_manager_dials_in_from_ends_when_it_is_not_needed()
    {
        var test = new CoreUnderTest(new CoreSettings { WorkersPerManager = 2, BlocksMin = 0, BlocksMax = 1, BlockIdle = 2_000_000, BlockPrefix = "b-" });
        test.Task();
        test.Turn().ShouldBe(["request b-1"]);
        test.Core.OnBlockRunning("b-1");
        test.Tick(5_000_000).ShouldBeEmpty();
        test.Core.OnCancel(new HashSet<TaskId> { CoreUnderTest.Id(0) }, test.Effects);
        test.Effects.Take();
        var said = new List<string>();
        for (var i = 0; i < 4; i++)
            said.AddRange(test.Tick());
        said.ShouldBe(["end block b-1"]);
    }

    [Fact]
    public void Stopping_gives_waiting_tasks_back_and_takes_no_more()
    {
        var test = new CoreUnderTest(Settings with { WorkersPerManager = 1 });
        test.Manager("a");
        test.Task();
        test.Turn();
        test.Task();
        test.Core.OnStop(test.Effects);
        test.Effects.Take().ShouldBe(["give back 1", "forget 1"]);
        test.Task();
        test.Turn().ShouldBe(["give back 1", "forget 1"]);
        test.Result(0, 0, 0).ShouldBe(["forget 0"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_stop_interrupts_is_no_lost_attempt(bool blockEnds)
    {
        var test = new CoreUnderTest(Settings);
        test.Manager("a");
        test.Task();
        test.Turn();
        test.Core.OnStop(test.Effects);
        test.Core.OnManagerDisconnected(0, test.Now, test.Effects);
        if (blockEnds)
            test.Core.OnBlockEnded("x1", "cancelled: ended by the endpoint", test.Now, test.Effects);
        test.Tick(60_000_000).ShouldBeEmpty();
        // Should the link break now, the service is told what it was told before.
        test.Core.TryDescribe(0, out var entry).ShouldBeTrue();
        entry.ShouldBe(new InventoryEntry(CoreUnderTest.Id(0), 1, HeldState.Running));
    }

    [Fact]
    public void Decisions_allocate_nothing()
    {
        var test = new CoreUnderTest(Settings with { Prefetch = 100 });
        var effects = new CoreOutbox(1000);
        for (var i = 0; i < 8; i++)
            test.Manager($"m{i}");
        var before = 0L;
        for (var round = 0; round < 3; round++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            for (uint i = 0; i < 1000; i++)
                test.Core.OnTask(new TaskArrival { Task = CoreUnderTest.Id(i), Attempt = 1, Function = 1, Owner = 1, Bytes = 100 }, test.Now);
            test.Core.Dispatch(test.Now, effects);
            for (var i = 0; i < effects.Count; i++)
                test.Core.OnResult(effects[i].Manager, (uint)effects[i].Ticket, test.IdOf(effects[i].Ticket), 1, 10, test.Now, effects, out _);
            effects.Clear();
            before = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        before.ShouldBe(0);
        test.Core.Running.ShouldBe(0);
    }
}
