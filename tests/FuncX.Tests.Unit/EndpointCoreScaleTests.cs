using FuncX.Endpoint.Core;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Numbers of blocks by hand, and blocks that an earlier process has left, of which it is not known at first what runs on them.</summary>
public sealed class EndpointCoreScaleTests
{
    private const long Second = 1_000_000;

    private readonly CoreUnderTest _endpoint = new(new CoreSettings { WorkersPerManager = 2, ManagersPerBlock = 2, BlocksMax = 2, BlockIdle = 2 * Second, Prefetch = 0, HeartbeatTimeout = long.MaxValue });

    [Fact]
    public void A_block_is_not_one_too_many_before_the_managers_that_it_was_left_with_have_said_what_they_hold()
    {
        _endpoint.Core.OnBlockSurvived("x1", 2, _endpoint.Now + (20 * Second));
        _endpoint.Core.OnScale(0);
        _endpoint.Tick().ShouldBeEmpty();
        _endpoint.Manager("one");
        _endpoint.Tick(5 * Second).ShouldBeEmpty("the other one has what runs");
        var other = _endpoint.Manager("other", "x1", new InventoryEntry(CoreUnderTest.Id(0), 1, HeldState.Running));
        _endpoint.Tick().ShouldBeEmpty();
        _endpoint.Core.BlocksDraining.ShouldBe(1, "it is let finish");
        _endpoint.Result(other, 0, 0);
        _endpoint.Tick().ShouldBe(["end block x1"]);
    }

    [Fact]
    public void Of_two_blocks_the_one_that_is_known_to_be_empty_goes()
    {
        _endpoint.Core.OnBlockSurvived("x1", 2, _endpoint.Now + (20 * Second));
        _endpoint.Core.OnBlockSurvived("x2", 2, _endpoint.Now + (20 * Second));
        var busy = _endpoint.Manager("three", "x2", new InventoryEntry(CoreUnderTest.Id(0), 1, HeldState.Running));
        _endpoint.Manager("four", "x2");
        _endpoint.Core.OnScale(1);
        _endpoint.Tick().ShouldBeEmpty("one is not known, and the other has a task");
        _endpoint.Result(busy, 0, 0);
        _endpoint.Tick().ShouldBe(["end block x2"]);
        _endpoint.Manager("one", "x1", new InventoryEntry(CoreUnderTest.Id(1), 1, HeldState.Running));
        _endpoint.Tick(30 * Second).ShouldBeEmpty();
        _endpoint.Core.BlocksRunning.ShouldBe(1);
    }

    [Fact]
    public void A_block_whose_managers_do_not_come_back_is_one_too_many_once_they_are_not_waited_for_any_more()
    {
        _endpoint.Core.OnBlockSurvived("x1", 2, _endpoint.Now + (20 * Second));
        _endpoint.Core.OnScale(0);
        _endpoint.Tick(19 * Second).ShouldBeEmpty();
        _endpoint.Tick(2 * Second).ShouldBe(["end block x1"]);
    }

    [Fact]
    public void A_block_that_was_left_does_not_count_as_idle_before_its_managers_are_back()
    {
        _endpoint.Core.OnBlockSurvived("x1", 2, _endpoint.Now + (20 * Second));
        for (var second = 0; second < 19; second++)
            _endpoint.Tick().ShouldBeEmpty();
        _endpoint.Manager("one");
        _endpoint.Manager("other");
        _endpoint.Tick().ShouldBeEmpty();
        _endpoint.Tick().ShouldBeEmpty();
        _endpoint.Tick().ShouldBe(["end block x1"]);
    }

    [Fact]
    public void A_block_of_this_process_goes_at_once()
    {
        _endpoint.Core.OnBlockRunning("b1");
        _endpoint.Core.OnScale(0);
        _endpoint.Tick().ShouldBe(["end block b1"]);
    }
}
