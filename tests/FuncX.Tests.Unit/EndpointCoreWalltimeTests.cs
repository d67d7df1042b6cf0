using FuncX.Endpoint.Core;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Tasks that say how long they may take, and blocks that end.</summary>
public sealed class EndpointCoreWalltimeTests
{
    private const uint Minute = 60_000;

    private readonly CoreUnderTest _endpoint = new(new CoreSettings { WorkersPerManager = 1, Prefetch = 0, BlocksMax = 3, Parallelism = 0.1, LongestTask = 3_600_000_000 });

    [Fact]
    public void A_task_waits_for_a_block_that_lasts_and_shorter_ones_do_not_wait_behind_it()
    {
        var late = _endpoint.ManagerFor(30, "late", "x1");
        var task = _endpoint.Task(walltime: Minute);
        _endpoint.Turn().ShouldBe(["request b1"], "what runs cannot take it");
        var (short1, endless) = (_endpoint.Task(walltime: 20_000), _endpoint.Task());
        _endpoint.Turn().ShouldBe([$"send {short1} to {late}"]);
        _endpoint.Core.WaitingForTime.ShouldBe(1);
        _endpoint.Core.Queued.ShouldBe(2);
        _endpoint.Core.OnBlockPending("b1", "Priority");
        _endpoint.Core.Note.ShouldBe("1 tasks wait for a block that lasts as long as their walltime; block b1 waits: Priority");
        _endpoint.Result(late, short1, 1).ShouldBe([$"forget {short1}", $"send {endless} to {late}"]);

        var fresh = _endpoint.ManagerFor(3_000, "fresh", "x2");
        _endpoint.Turn().ShouldBe([$"send {task} to {fresh}"]);
        _endpoint.Core.WaitingForTime.ShouldBe(0);
        _endpoint.Core.Note.ShouldBeEmpty();
    }

    [Fact]
    public void What_is_left_of_a_block_becomes_less_while_time_passes()
    {
        var manager = _endpoint.ManagerFor(100, "one");
        var first = _endpoint.Task(walltime: Minute);
        _endpoint.Turn().ShouldBe([$"send {first} to {manager}"]);
        _endpoint.Now += 41_000_000;
        _endpoint.Core.OnHeard(manager, _endpoint.Now);
        _endpoint.Result(manager, first, 0);
        var second = _endpoint.Task(walltime: Minute);
        _endpoint.Turn().ShouldNotContain($"send {second} to {manager}");
        _endpoint.Core.WaitingForTime.ShouldBe(1);

        // Its job was made longer, as it says when it connects again.
        _endpoint.Core.OnManagerDisconnected(manager, _endpoint.Now, _endpoint.Effects);
        _endpoint.Turn();
        var again = _endpoint.ManagerFor(100, "one");
        _endpoint.Turn().ShouldContain($"send {second} to {again}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_task_longer_than_any_block_lasts_ends_at_once(bool alone)
    {
        var task = _endpoint.Task(walltime: 3_600_001, alone: alone);
        _endpoint.Turn().ShouldBe([$"end {task} Rejected", $"forget {task}"]);
        _endpoint.Effects.Ended[0].Walltime.ShouldBe(3_600_001u);
        var possible = _endpoint.Task(walltime: 3_600_000, alone: alone);
        _endpoint.Turn().ShouldNotContain($"end {possible} Rejected");
        _endpoint.Core.Queued.ShouldBe(1);
    }

    [Fact]
    public void With_nothing_that_lasts_a_deadline_is_kept_a_cancel_heard_and_a_stop_gives_back()
    {
        _endpoint.ManagerFor(10, "one");
        var (expires, cancelled, returned) = (_endpoint.Task(walltime: Minute, deadline: _endpoint.Now + 2_000_000), _endpoint.Task(walltime: Minute), _endpoint.Task(walltime: Minute));
        _endpoint.Turn();
        _endpoint.Core.WaitingForTime.ShouldBe(3);
        _endpoint.Tick(3_000_000).ShouldContain($"end {expires} Expired");
        _endpoint.Core.OnCancel(new HashSet<TaskId> { CoreUnderTest.Id(1) }, _endpoint.Effects);
        _endpoint.Turn().ShouldContain($"end {cancelled} Cancelled");
        _endpoint.Core.OnStop(_endpoint.Effects);
        _endpoint.Turn().ShouldContain($"give back {returned}");
        _endpoint.Core.WaitingForTime.ShouldBe(0);
    }

    [Fact]
    public void Also_one_that_runs_alone_and_one_that_requires_something_go_to_a_block_that_lasts()
    {
        var (late, fresh) = (_endpoint.ManagerFor(30, "late", "x1"), _endpoint.ManagerFor(3_000, "fresh", "x2"));
        var alone = _endpoint.Task(walltime: Minute, alone: true);
        _endpoint.Turn().ShouldBe([$"send {alone} to {fresh}"]);
        _endpoint.Result(fresh, alone, 0);
        var demanding = _endpoint.Task(walltime: Minute, requires: "python>=3.12");
        _endpoint.Turn();
        _endpoint.Runtimes(late, "3.12.0");
        _endpoint.Runtimes(fresh, "3.12.0");
        _endpoint.Turn().ShouldBe([$"send {demanding} to {fresh}"]);
        _endpoint.Result(fresh, demanding, 1);

        // Where nodes differ as well.
        var old = _endpoint.ManagerFor(3_000, "old", "x3");
        _endpoint.Runtimes(old, "3.11.0");
        var another = _endpoint.Task(walltime: Minute, requires: "python>=3.12");
        _endpoint.Turn().ShouldContain($"send {another} to {fresh}");
    }

    [Fact]
    public void One_that_runs_alone_and_is_too_long_for_the_blocks_there_are_counts_and_makes_demand_for_another()
    {
        var late = _endpoint.ManagerFor(30, "late", "x1");
        var busy = _endpoint.Task(walltime: 20_000);
        _endpoint.Turn().ShouldBe([$"send {busy} to {late}"]);
        var (first, second) = (_endpoint.Task(walltime: 20_000, alone: true), _endpoint.Task(walltime: Minute, alone: true));
        _endpoint.Turn();
        _endpoint.Core.WaitingForTime.ShouldBe(0, "the first waits for the manager to be empty, and lasts no longer than it");
        _endpoint.Result(late, busy, 0).ShouldContain($"send {first} to {late}");

        _endpoint.Turn().ShouldBe(["request b1"], "what runs cannot take the second");
        _endpoint.Core.WaitingForTime.ShouldBe(1);
        _endpoint.Result(late, first, 1).ShouldNotContain($"send {second} to {late}");
        _endpoint.Core.WaitingForTime.ShouldBe(1);
        _endpoint.Core.Note.ShouldStartWith("1 tasks wait for a block that lasts as long as their walltime");

        var fresh = _endpoint.ManagerFor(3_000, "fresh", "x2");
        _endpoint.Turn().ShouldBe([$"send {second} to {fresh}"]);
        _endpoint.Core.WaitingForTime.ShouldBe(0);
    }

    [Fact]
    public void One_that_runs_alone_counts_no_more_when_it_was_cancelled()
    {
        _endpoint.ManagerFor(30, "late", "x1");
        var task = _endpoint.Task(walltime: Minute, alone: true);
        _endpoint.Turn().ShouldBe(["request b1"]);
        _endpoint.Core.OnCancel(new HashSet<TaskId> { CoreUnderTest.Id(0) }, _endpoint.Effects);
        _endpoint.Turn().ShouldContain($"end {task} Cancelled");
        _endpoint.Core.WaitingForTime.ShouldBe(0);
    }

    [Fact]
    public void Of_a_thousand_that_wait_each_goes_to_one_that_lasts_whatever_their_lengths()
    {
        var random = new Random(7);
        _endpoint.ManagerFor(5, "late", "x1");
        var walltimes = Enumerable.Range(0, 1_000).Select(_ => (uint)random.Next(10_000, 3_000_000)).ToList();
        var tasks = walltimes.ConvertAll(walltime => _endpoint.Task(walltime: walltime));
        _endpoint.Turn();
        _endpoint.Core.WaitingForTime.ShouldBe(1_000);
        var fresh = Enumerable.Range(0, 10).Select(i => _endpoint.ManagerFor(3_600, $"fresh{i}", "x2")).ToList();
        var done = 0;
        for (var look = 0; look < 2_000 && done < tasks.Count; look++)
        {
            _endpoint.Now += 5_000;
            _endpoint.Core.OnTick(_endpoint.Now, _endpoint.Effects);
            fresh.ForEach(manager => _endpoint.Core.OnHeard(manager, _endpoint.Now));
            _endpoint.Turn();
            while (_endpoint.Effects.Sent.TryDequeue(out var sent))
            {
                sent.Manager.ShouldBeOneOf([.. fresh]);
                var task = _endpoint.IdOf(sent.Ticket);
                _endpoint.Core.OnResult(sent.Manager, (uint)sent.Ticket, task, 1, 1_000, _endpoint.Now, _endpoint.Effects, out _).ShouldBeTrue();
                done++;
            }
        }

        done.ShouldBe(tasks.Count);
    }

    [Fact]
    public void A_block_whose_managers_leave_is_replaced_before_it_has_ended()
    {
        var endpoint = new CoreUnderTest(new CoreSettings { BlocksMin = 1, BlocksMax = 2 });
        endpoint.Tick().ShouldBe(["request b1"]);
        var manager = endpoint.ManagerFor(60, "one", "b1");
        endpoint.Core.OnManagerLeaving(manager);
        (endpoint.Core.BlocksRunning, endpoint.Core.BlocksDraining).ShouldBe((1, 1));
        endpoint.Tick().ShouldBe(["request b2"]);
        endpoint.Now += 40_000_000;
        endpoint.Core.OnHeard(manager, endpoint.Now);
        endpoint.Core.OnBlockEnded("b1", "completed", endpoint.Now, endpoint.Effects);
        (endpoint.Core.BlocksRunning, endpoint.Core.BlocksDraining, endpoint.Core.BlocksRequested).ShouldBe((0, 0, 1));
        endpoint.Tick().ShouldBeEmpty("a block that ended as it should is no failure and is not replaced twice");
        endpoint.Core.Note.ShouldStartWith("no block yet: 1 requested");
    }

    [Fact]
    public void An_idle_block_that_what_waits_is_too_long_for_makes_room_when_there_may_be_no_other()
    {
        var endpoint = new CoreUnderTest(new CoreSettings { BlocksMax = 1, BlockIdle = 2_000_000, HeartbeatTimeout = 1_000_000_000 });
        endpoint.Task();
        endpoint.Turn().ShouldBe(["request b1"]);
        var manager = endpoint.ManagerFor(30, "one", "b1");
        endpoint.Turn();
        endpoint.Result(manager, 0, 0);
        var task = endpoint.Task(walltime: Minute);
        endpoint.Turn().ShouldBeEmpty();
        endpoint.Tick(1_000_000);
        var said = endpoint.Tick(3_000_000);
        said.ShouldContain("end block b1");
        said.ShouldContain("request b2");
        endpoint.Core.OnManagerDisconnected(manager, endpoint.Now, endpoint.Effects);
        endpoint.Core.OnBlockEnded("b1", "cancelled", endpoint.Now, endpoint.Effects);
        endpoint.ManagerFor(3_000, "two", "b2");
        endpoint.Turn().ShouldContain(said => said.StartsWith($"send {task} to", StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_lost_when_a_blocks_time_was_over_was_cut_off()
    {
        var manager = _endpoint.ManagerFor(30, "one", "x1");
        var task = _endpoint.Task();
        _endpoint.Turn().ShouldBe([$"send {task} to {manager}"]);
        _endpoint.Now += 31_000_000;
        _endpoint.Core.OnManagerDisconnected(manager, _endpoint.Now, _endpoint.Effects);
        _endpoint.Now += 6_000_000;
        _endpoint.Core.OnTick(_endpoint.Now, _endpoint.Effects);
        Lost().CutOff.ShouldBeTrue();

        // Or the scheduler says so, of a manager that did not know.
        var other = _endpoint.Manager("two", "x2");
        _endpoint.Task();
        _endpoint.Turn();
        _endpoint.Core.OnManagerDisconnected(other, _endpoint.Now, _endpoint.Effects);
        _endpoint.Core.OnBlockEnded("x2", "timed_out", _endpoint.Now, _endpoint.Effects, cutOff: true);
        Lost().CutOff.ShouldBeTrue();

        // A node that dies is another matter.
        var third = _endpoint.ManagerFor(3_000, "three", "x3");
        _endpoint.Task();
        _endpoint.Turn();
        _endpoint.Core.OnManagerDisconnected(third, _endpoint.Now, _endpoint.Effects);
        _endpoint.Core.OnBlockEnded("x3", "failed", _endpoint.Now, _endpoint.Effects);
        Lost().CutOff.ShouldBeFalse();

        // And one whose processes the scheduler has stand still, or had for a while.
        var fourth = _endpoint.ManagerFor(3_000, "four", "x4");
        _endpoint.Task();
        _endpoint.Turn();
        _endpoint.Core.OnBlockSuspended("x4", true);
        Silent(fourth, "x4");
        (Lost().CutOff, Lost().Suspended).ShouldBe((true, true));
        var fifth = _endpoint.ManagerFor(3_000, "five", "x5");
        _endpoint.Task();
        _endpoint.Turn();
        _endpoint.Core.OnBlockSuspended("x5", true);
        _endpoint.Core.OnBlockSuspended("x5", false);
        Silent(fifth, "x5");
        (Lost().CutOff, Lost().Suspended).ShouldBe((false, false));

        // The scheduler's word came before the connection broke.
        var sixth = _endpoint.Manager("six", "x6");
        _endpoint.Task();
        _endpoint.Turn();
        _endpoint.Core.OnBlockEnded("x6", "timed_out", _endpoint.Now, _endpoint.Effects, cutOff: true);
        _endpoint.Core.OnManagerDisconnected(sixth, _endpoint.Now, _endpoint.Effects);
        _endpoint.Effects.Ended.Count.ShouldBe(6);
        Lost().CutOff.ShouldBeTrue();

        void Silent(int silent, string block)
        {
            _endpoint.Now += 6_000_000;
            _endpoint.Core.OnTick(_endpoint.Now, _endpoint.Effects);
            _endpoint.Effects.Said.ShouldContain($"close {silent} of {block}");
            _endpoint.Now += 6_000_000;
            _endpoint.Core.OnTick(_endpoint.Now, _endpoint.Effects);
        }

        EndedTask Lost()
        {
            var lost = _endpoint.Effects.Ended[^1];
            lost.Outcome.ShouldBe(TaskOutcome.AttemptLost);
            return lost;
        }
    }

    [Fact]
    public void A_block_that_is_told_to_end_as_soon_as_it_has_begun_is_asked_for_ever_more_rarely()
    {
        var endpoint = new CoreUnderTest(new CoreSettings { BlocksMin = 1, HeartbeatTimeout = long.MaxValue });
        endpoint.Tick().ShouldBe(["request b1"]);
        var manager = endpoint.Manager("one", "b1");
        endpoint.Core.OnManagerLeaving(manager);
        endpoint.Core.OnManagerDisconnected(manager, endpoint.Now, endpoint.Effects);
        endpoint.Core.OnBlockEnded("b1", "cancelled", endpoint.Now, endpoint.Effects);
        endpoint.Turn().ShouldNotContain("request b2");
        endpoint.Core.Note.ShouldContain("without a result: cancelled");
        endpoint.Tick(1_000_000).ShouldContain("request b2");
    }

    [Fact]
    public void A_connection_that_breaks_costs_a_block_that_is_one_too_many_none_of_its_tasks()
    {
        var endpoint = new CoreUnderTest(new CoreSettings { BlocksMax = 2, Prefetch = 0, HeartbeatTimeout = long.MaxValue });
        var manager = endpoint.Manager("one");
        var task = endpoint.Task();
        endpoint.Turn().ShouldContain($"send {task} to {manager}");
        endpoint.Core.OnScale(0);
        endpoint.Tick();
        endpoint.Core.BlocksDraining.ShouldBe(1);
        endpoint.Core.OnManagerDisconnected(manager, endpoint.Now, endpoint.Effects);
        endpoint.Tick().ShouldBeEmpty("its tasks wait for it, and it for their end");
        endpoint.Manager("one", "x1", new InventoryEntry(CoreUnderTest.Id(0), 1, HeldState.Running));
        endpoint.Tick();

        // Wanted again, it takes tasks again; unless it has said itself that it takes none.
        endpoint.Core.OnScale(null);
        endpoint.Core.BlocksDraining.ShouldBe(0);
        endpoint.Result(manager, task, 0);
        var next = endpoint.Task();
        endpoint.Turn().ShouldContain($"send {next} to {manager}");
    }

    [Fact]
    public void A_job_that_was_made_longer_takes_what_lasts_longer_also_of_managers_that_say_an_older_end()
    {
        const long Second = 1_000_000;
        var endpoint = new CoreUnderTest(new CoreSettings { Prefetch = 0, HeartbeatTimeout = long.MaxValue });
        var manager = endpoint.ManagerFor(60, "one");
        var (first, second) = (endpoint.Task(walltime: 5 * Minute), endpoint.Task(walltime: 5 * Minute));
        endpoint.Turn().ShouldBeEmpty();

        // What managers would not take for news is none here.
        endpoint.Core.OnBlockEnds("x1", endpoint.Now + (110 * Second));
        endpoint.Core.OnBlockEnds("nobody's", endpoint.Now + (3_600 * Second));
        endpoint.Turn().ShouldBeEmpty();
        endpoint.Core.WaitingForTime.ShouldBe(2);

        endpoint.Core.OnBlockEnds("x1", endpoint.Now + (700 * Second));
        endpoint.Turn().ShouldBe([$"send {first} to {manager}"]);
        endpoint.Core.OnManagerDisconnected(manager, endpoint.Now, endpoint.Effects);
        endpoint.Core.OnManagerConnected("one", "x1", endpoint.Now, endpoint.Now + (50 * Second)).ShouldBe(manager);
        endpoint.Core.OnInventory(manager, [new InventoryEntry(CoreUnderTest.Id(0), 1, HeldState.Running)], endpoint.Now, endpoint.Effects);
        endpoint.Result(manager, first, 0).ShouldBe([$"forget {first}", $"send {second} to {manager}"]);
    }

    [Fact]
    public void Shorter_ones_behind_many_that_are_too_long_are_looked_at()
    {
        var endpoint = new CoreUnderTest(new CoreSettings { WorkersPerManager = 1, Prefetch = 0, BlocksMax = 3, HeartbeatTimeout = long.MaxValue });
        endpoint.ManagerFor(30, "late", "x1");
        for (var i = 0; i < 200; i++)
            endpoint.Task(walltime: 300 * Minute);
        endpoint.Turn();
        var shorter = endpoint.Task(walltime: Minute);
        endpoint.Turn();
        endpoint.Core.WaitingForTime.ShouldBe(201);
        var fresh = endpoint.ManagerFor(3_000, "fresh", "x2");
        endpoint.Turn().ShouldContain($"send {shorter} to {fresh}");
    }

    [Fact]
    public void A_drain_gives_back_what_waits_lets_the_rest_run_and_counts_what_is_lost_meanwhile()
    {
        var endpoint = new CoreUnderTest(new CoreSettings { WorkersPerManager = 2, Prefetch = 0, BlocksMin = 1 });
        var manager = endpoint.Manager("one");
        var (first, second, waiting) = (endpoint.Task(), endpoint.Task(), endpoint.Task());
        endpoint.Turn();
        endpoint.Core.OnDrain(endpoint.Effects);
        endpoint.Turn().ShouldBe([$"give back {waiting}", $"forget {waiting}"]);
        endpoint.Core.Note.ShouldBe("draining: 2 tasks still run; it takes no others and stops after them");
        endpoint.Result(manager, first, 0);
        endpoint.Core.OnManagerDisconnected(manager, endpoint.Now, endpoint.Effects);
        endpoint.Tick(6_000_000).ShouldContain($"end {second} AttemptLost");
        endpoint.Core.Running.ShouldBe(0);
        endpoint.Core.OnStop(endpoint.Effects);
        endpoint.Core.Note.ShouldBe("stopping");
    }
}
