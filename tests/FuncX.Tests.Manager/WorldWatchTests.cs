using FuncX.Manager.Launching;
using FuncX.Manager.World;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>What the agent makes of what the ranks of a world say that their launcher does not.</summary>
public sealed class WorldWatchTests
{
    private const int Terminate = 15;
    private const int Kill = 9;
    private const long Grace = WorldWatch.Grace;

    [Fact]
    public void Lines_are_read_and_what_is_none_is_passed_over()
    {
        WorldMarks.Parse([]).IsUp.ShouldBeFalse();
        var signs = WorldMarks.Parse(["up", "lost 2 n3", "lolost 3 n4", "lost 2 n3", "", "lost 5 n6", "over x", "over"]);
        (signs.IsUp, signs.Over, signs.LostBeforeUp).ShouldBe((true, null, false));
        signs.Lost.ShouldBe([new LostRank(2, "n3"), new LostRank(5, "n6")]);
        WorldMarks.Parse(["over 0", "over 75", "over 1"]).Over.ShouldBe(75);
        WorldMarks.Parse(["lost ? n1"]).LostBeforeUp.ShouldBeTrue();
    }

    [Fact]
    public void A_killed_rank_gives_its_node_back_once_and_the_launcher_is_left_alone()
    {
        var watch = new WorldWatch(["n1", "n2", "n3"], sparesSurvivors: true);
        Look(watch, 0, "up").Lost.ShouldBeEmpty();
        // It may be that the launcher is about to end, and all with it.
        Look(watch, 1_000, "up", "lost 2 n3").Lost.ShouldBeEmpty();
        Look(watch, 1_000 + Grace, "up", "lost 2 n3").ShouldSatisfyAllConditions(
            static verdict => verdict.Lost.ShouldBe([new LostRank(2, "n3")]),
            static verdict => verdict.Signal.ShouldBe(0));
        Look(watch, 60_000, "up", "lost 2 n3", "lost 1 n2").Lost.ShouldBeEmpty();
        Look(watch, 60_000 + Grace, "up", "lost 2 n3", "lost 1 n2").Lost.ShouldBe([new LostRank(1, "n2")]);
        (watch.Reason, watch.IsDone).ShouldBe(("", false));
    }

    [Theory]
    [InlineData("lost 1 n2", "n2")]
    // Ranks in another order than the list: the name counts, with or without its domain.
    [InlineData("lost 1 n3", "n3.example.org")]
    [InlineData("lost 0x1 n3", "")]
    // The node calls itself something that the list does not know: the place counts.
    [InlineData("lost 1 host-7", "n2")]
    public void The_node_of_a_lost_rank_is_known_by_its_name_or_by_its_place(string line, string node)
    {
        var watch = new WorldWatch(["n1", "n2", "n3.example.org"], sparesSurvivors: true);
        Look(watch, 0, "up", line);
        string.Join(' ', Look(watch, Grace, "up", line).Lost.Select(static lost => lost.Node)).ShouldBe(node);
    }

    [Theory]
    [InlineData("its leader was killed", "up", "lost 0 n1")]
    [InlineData("exit code 75", "up", "over 75")]
    // Those who missed it said so before anybody looked.
    [InlineData("its leader was killed", "up", "over 75", "lost 0 n1")]
    [InlineData("a rank died before all had found each other", "lost ? n2")]
    [InlineData("a rank died before all had found each other", "lost 1 n2")]
    public void A_world_that_cannot_go_on_has_its_launcher_ended(string reason, params string[] lines)
    {
        var watch = new WorldWatch(["n1", "n2"], sparesSurvivors: true);
        Look(watch, 0, [.. lines.Where(static line => line == "up")]).Signal.ShouldBe(0);
        Look(watch, 5_000, lines).Signal.ShouldBe(0);
        Look(watch, 5_000 + Grace, lines).Signal.ShouldBe(Terminate);
        Look(watch, 5_001 + Grace, lines).Signal.ShouldBe(0, "once is enough");
        Look(watch, 5_000 + Grace + WorldWatch.Patience, lines).Signal.ShouldBe(Kill);
        Look(watch, 90_000, [.. lines, "lost 1 n2"]).ShouldSatisfyAllConditions(
            static verdict => verdict.Signal.ShouldBe(0),
            static verdict => verdict.Lost.ShouldBeEmpty("the whole world begins anew"));
        (watch.Reason, watch.IsDone).ShouldBe((reason, false));
    }

    [Fact]
    public void A_world_that_was_to_end_is_done_though_its_launcher_stays()
    {
        var watch = new WorldWatch(["n1", "n2"], sparesSurvivors: true);
        Look(watch, 0, "up", "lost 1 n2");
        Look(watch, 10_000, "up", "lost 1 n2", "over 0").Signal.ShouldBe(0);
        Look(watch, 10_000 + Grace, "up", "lost 1 n2", "over 0").Signal.ShouldBe(Terminate);
        (watch.Reason, watch.IsDone).ShouldBe(("", true));
    }

    [Fact]
    public void A_launcher_that_ends_a_world_with_any_of_its_ranks_is_left_to_do_so()
    {
        var watch = new WorldWatch(["n1", "n2"], sparesSurvivors: false);
        Look(watch, 0);
        watch.IsNeeded.ShouldBeTrue();
        foreach (var now in (long[])[1_000, 1_000 + Grace, 60_000])
        {
            Look(watch, now, "up", "lost 0 n1", "lost 1 n2", "over 75").ShouldSatisfyAllConditions(
                static verdict => verdict.Signal.ShouldBe(0),
                static verdict => verdict.Lost.ShouldBeEmpty());
        }

        (watch.Reason, watch.CameToNothing, watch.IsNeeded).ShouldBe(("", false, false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Ranks_that_do_not_find_each_other_are_given_up(bool sparesSurvivors)
    {
        var watch = new WorldWatch(["n1", "n2"], sparesSurvivors);
        Look(watch, 7_000).Signal.ShouldBe(0);
        Look(watch, 7_000 + WorldWatch.UpWithin).Signal.ShouldBe(0);
        Look(watch, 7_001 + WorldWatch.UpWithin).Signal.ShouldBe(0);
        Look(watch, 7_001 + WorldWatch.UpWithin + Grace).Signal.ShouldBe(Terminate);
        watch.Reason.ShouldBe("its ranks have not found each other in 300 s");
        watch.CameToNothing.ShouldBeTrue();
    }

    [Fact]
    public void A_world_that_was_up_stays_so_whatever_is_read_later()
    {
        var watch = new WorldWatch(["n1", "n2"], sparesSurvivors: true);
        Look(watch, 0, "up");
        Look(watch, 2 * WorldWatch.UpWithin).Signal.ShouldBe(0);
        Look(watch, (2 * WorldWatch.UpWithin) + Grace).Signal.ShouldBe(0);
        Look(watch, 3 * WorldWatch.UpWithin, "lost 1 n2").Signal.ShouldBe(0);
        (watch.Reason, watch.CameToNothing).ShouldBe(("", false));
    }

    [Fact]
    public void Marks_that_cannot_be_read_say_nothing() =>
        new WorldMarks(Path.Combine(Path.GetTempPath(), $"no-such-world-{Guid.NewGuid():N}"), 7).Read().ShouldBeNull();

    private static WatchVerdict Look(WorldWatch watch, long now, params string[] lines) => watch.Look(WorldMarks.Parse(lines), now);
}
