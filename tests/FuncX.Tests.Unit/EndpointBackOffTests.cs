using FsCheck;
using FsCheck.Xunit;
using FuncX.Endpoint.Core;
using FuncX.Endpoint.ServiceLink;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The bounds of what an endpoint tries again: its link to the service, and blocks. Those of a block's lost nodes are in EndpointRepairsTests.</summary>
public sealed class EndpointBackOffTests
{
    private const long Second = 1_000_000;

    private readonly RecordedEffects _effects = new();

    [Theory]
    [InlineData(0.0, 0.5)]
    [InlineData(0.5, 1.0)]
    [InlineData(1.0, 1.5)]
    public void The_link_is_tried_again_after_a_tenth_of_a_second_then_twice_as_long_up_to_5_s_and_anew_after_one_that_held(double chance, double factor)
    {
        var backOff = new LinkBackOff(new Chance(chance));
        var lasted = TimeSpan.Zero;
        for (var round = 0; round < 2; round++)
        {
            foreach (var milliseconds in (int[])[100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
            {
                backOff.Next(lasted).TotalMilliseconds.ShouldBe(milliseconds * factor, 0.001);
                // A service that welcomes and hangs up at once is no service yet.
                lasted = LinkBackOff.Held;
            }

            lasted = LinkBackOff.Held + TimeSpan.FromTicks(1);
        }
    }

    [Property]
    public void A_pause_of_the_link_is_never_outside_of_its_bounds(NonNegativeInt seed, NonNegativeInt[] lasted)
    {
        var backOff = new LinkBackOff(new Random(seed.Get));
        foreach (var milliseconds in lasted)
            backOff.Next(TimeSpan.FromMilliseconds(milliseconds.Get)).ShouldBeInRange(LinkBackOff.First * 0.5, LinkBackOff.Longest * 1.5);
    }

    [Fact]
    public void A_block_that_does_not_start_is_asked_for_again_after_a_second_then_twice_as_long_up_to_five_minutes()
    {
        var plan = new BlockPlan(new CoreSettings { BlocksMin = 1 });
        var now = Second;
        foreach (var pause in (long[])[1, 2, 4, 8, 16, 32, 64, 128, 256, .. Enumerable.Repeat(300L, 30)])
        {
            Ask(plan, now).ShouldBe(1);
            plan.OnEnded(Last(), "no such partition", now);
            plan.LastFailure.ShouldStartWith($"block {Last()} ended before a manager of it connected: no such partition");
            plan.LastFailure.ShouldEndWith($"; the next is asked for from {DateTimeOffset.FromUnixTimeSeconds((now / Second) + pause).UtcDateTime:HH:mm:ss}Z on");
            Ask(plan, now + (pause * Second) - 1).ShouldBe(0, $"less than {pause} s after the one before");
            now += pause * Second;
        }
    }

    [Fact]
    public void A_block_that_had_a_manager_begins_the_count_anew_and_its_end_is_waited_for_a_second()
    {
        var plan = new BlockPlan(new CoreSettings { BlocksMin = 1 });
        var now = Second;
        for (var failures = 0; failures < 12; failures++)
        {
            Ask(plan, now).ShouldBe(1);
            plan.OnEnded(Last(), "failed", now);
            now = plan.NotBefore;
        }

        Ask(plan, now).ShouldBe(1);
        plan.OnManager(plan.Find(Last()), now);
        plan.LastFailure.ShouldBeEmpty();
        plan.OnServed(plan.Find(Last()));
        plan.OnEnded(Last(), "walltime", now);
        Ask(plan, now + Second - 1).ShouldBe(0);
        Ask(plan, now + Second).ShouldBe(1);
        plan.OnEnded(Last(), "failed", now + Second);
        plan.NotBefore.ShouldBe(now + (2 * Second));
    }

    [Fact]
    public void A_block_that_dies_young_counts_as_one_that_did_not_start_and_one_that_works_ends_the_count()
    {
        var plan = new BlockPlan(new CoreSettings { BlocksMin = 1 });
        var now = Second;
        foreach (var (pause, often) in (List<(long, string)>)[(1, ""), (2, "; 2 blocks in a row came to nothing"), (4, "; 3 blocks in a row came to nothing"), (8, "; 4 blocks in a row came to nothing")])
        {
            Ask(plan, now).ShouldBe(1);
            plan.OnManager(plan.Find(Last()), now);
            now += 2 * Second;
            plan.OnEnded(Last(), "failed: node is on fire", now);
            plan.LastFailure.ShouldStartWith($"block {Last()} ended 2.0 s after its first manager connected, without a result: failed: node is on fire");
            plan.LastFailure.ShouldContain($"node is on fire{often}; the next is asked for from");
            plan.NotBefore.ShouldBe(now + (pause * Second));
            now = plan.NotBefore;
        }

        // That managers connect says nothing yet; a result does, and so does a life of half a minute.
        Ask(plan, now).ShouldBe(1);
        var block = plan.Find(Last());
        plan.OnManager(block, now);
        plan.LastFailure.ShouldNotBeEmpty();
        plan.OnServed(block);
        plan.LastFailure.ShouldBeEmpty();
        plan.OnEnded(Last(), "failed", now + Second);
        plan.NotBefore.ShouldBe(now + (2 * Second));
        plan.LastFailure.ShouldBeEmpty();

        now = plan.NotBefore;
        Ask(plan, now).ShouldBe(1);
        plan.OnManager(plan.Find(Last()), now);
        plan.OnEnded(Last(), "failed", now + (30 * Second));
        plan.LastFailure.ShouldBeEmpty();
    }

    [Fact]
    public void A_number_by_hand_holds_whatever_the_demand_and_asks_at_once()
    {
        var plan = new BlockPlan(new CoreSettings { BlocksMin = 1, BlocksMax = 4 });
        Ask(plan, Second).ShouldBe(1);
        plan.OnEnded(Last(), "no such account", Second);
        Ask(plan, Second).ShouldBe(0);
        plan.Fix(3);
        Ask(plan, Second).ShouldBe(3);
        plan.All.ToList().ForEach(block => plan.OnManager(block, Second));
        plan.Grow(1_000, 0, Second, _effects);
        plan.Running.ShouldBe(3);

        // The one that works is let finish.
        var busy = plan.Find(Last());
        busy.InFlight = 2;
        plan.Fix(0);
        plan.Shrink(2, 0, 2 * Second, _effects).ShouldBeTrue();
        (plan.Running, plan.Draining).ShouldBe((0, 1));
        busy.InFlight = 0;
        plan.Shrink(0, 0, 3 * Second, _effects).ShouldBeTrue();
        plan.Draining.ShouldBe(0);
        _effects.Said.Count(static said => said.StartsWith("end block", StringComparison.Ordinal)).ShouldBe(3);
        Ask(plan, 4 * Second).ShouldBe(0);
        plan.Fix(null);
        Ask(plan, 4 * Second).ShouldBe(1);
    }

    [Property]
    public void Whatever_blocks_do_the_next_is_asked_for_within_one_second_to_five_minutes_of_an_end(NonNegativeInt seed)
    {
        var random = new Random(seed.Get);
        var plan = new BlockPlan(new CoreSettings { BlocksMin = 2, BlocksMax = 2 });
        var now = Second;
        for (var step = 0; step < 200; step++)
        {
            Ask(plan, now);
            (plan.Requested + plan.Running).ShouldBeLessThanOrEqualTo(2);
            var block = plan.All.ElementAtOrDefault(random.Next(2));
            if (block is not null && random.Next(3) == 0)
            {
                plan.OnManager(block, now);
            }
            else if (block is not null)
            {
                plan.OnEnded(block.Id, "ended", now);
                plan.NotBefore.ShouldBeInRange(now + Second, now + (300 * Second));
            }

            now += random.NextInt64(400 * Second);
        }
    }

    private int Ask(BlockPlan plan, long now)
    {
        var before = _effects.Said.Count;
        plan.Grow(0, 0, now, _effects);
        return _effects.Said.Count - before;
    }

    // The block that was asked for last.
    private string Last() => _effects.Said[^1]["request ".Length..];

    private sealed class Chance(double value) : Random
    {
        public override double NextDouble() => value;
    }
}
