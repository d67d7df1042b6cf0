using FuncX.Manager.Launching;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class WorldTableTests
{
    [Theory]
    [InlineData(1, 128, new[] { 1 })]
    [InlineData(128, 128, new[] { 128 })]
    [InlineData(129, 128, new[] { 64, 65 })]
    [InlineData(10, 4, new[] { 3, 3, 4 })]
    [InlineData(3, 1, new[] { 1, 1, 1 })]
    public void Nodes_are_shared_out_evenly_and_each_is_in_one_world(int nodes, int most, int[] sizes)
    {
        var names = Names(nodes);
        var table = new WorldTable(names, most, 0);
        table.Worlds.Select(static world => world.Nodes.Count).ShouldBe(sizes);
        table.Worlds.SelectMany(static world => world.Nodes).ShouldBe(names);
        table.Worlds.Select(static world => world.Number).ShouldBeUnique();
    }

    [Fact]
    public void A_world_that_dies_late_is_launched_again_with_all_its_nodes_and_the_others_go_on()
    {
        var table = new WorldTable(Names(4), 2, 0);
        var (first, second) = (table.TakeDue(0)!, table.TakeDue(0)!);
        table.TakeDue(0).ShouldBeNull();
        for (var time = 100_000L; time < 2_000_000; time += 100_000)
        {
            table.OnEnded(first, "exit code 1", time);
            first.State.ShouldBe(WorldState.Waiting);
            second.State.ShouldBe(WorldState.Running);
            table.TakeDue(time).ShouldBeNull();
            table.NextDue.ShouldBe(time + 1000);
            table.TakeDue(time + 1000).ShouldBe(first);
            first.Nodes.ShouldBe(["n0", "n1"]);
        }
    }

    [Fact]
    public void A_world_whose_ranks_never_find_each_other_is_split_however_long_they_try()
    {
        var table = new WorldTable(Names(4), 4, 0);
        var first = table.TakeDue(0)!;
        table.OnEnded(first, "its ranks have not found each other in 300 s", 300_000, cameToNothing: true);
        table.TakeDue(301_000).ShouldBe(first);
        table.OnEnded(first, "its ranks have not found each other in 300 s", 700_000, cameToNothing: true);
        first.State.ShouldBe(WorldState.Over);
        table.Worlds.Select(static world => world.Nodes.Count).ShouldBe([2, 2]);
    }

    [Fact]
    public void One_bad_node_of_many_ends_up_alone_and_given_up_and_every_other_serves()
    {
        for (var bad = 0; bad < 13; bad++)
        {
            var table = new WorldTable(Names(13), 13, 0);
            var name = $"n{bad}";
            var now = 0L;
            for (var step = 0; step < 1000 && (table.NextDue is not null || table.Worlds.Any(world => world.Nodes.Contains(name))); step++)
            {
                now = Math.Max(now, table.NextDue ?? now);
                while (table.TakeDue(now) is { } world)
                {
                    if (world.Nodes.Contains(name))
                        table.OnEnded(world, "exit code 1", now + 500);
                }

                now += 500;
            }

            table.GivenUp.ShouldBe([name]);
            table.Worlds.ShouldAllBe(static world => world.State == WorldState.Running);
            table.Worlds.SelectMany(static world => world.Nodes).Order().ShouldBe(Names(13).Where(node => node != name).Order());
            now.ShouldBeLessThan(300_000);
        }
    }

    [Fact]
    public void Ranks_of_one_host_are_never_split_and_one_host_waits_longer_and_longer()
    {
        var table = new WorldTable(["localhost", "localhost", "localhost", "localhost"], 128, 0);
        var pauses = new List<long>();
        var now = 0L;
        while (table.NextDue is { } due)
        {
            pauses.Add(due - now);
            now = due;
            table.OnEnded(table.TakeDue(now)!, "killed", now);
        }

        pauses.ShouldBe([0, 1000, 2000, 4000, 8000]);
        table.IsOver.ShouldBeTrue();
        table.GivenUp.ShouldBe(["localhost"]);

        var two = new WorldTable(["a", "a", "a", "b"], 128, 0);
        for (var failure = 0; failure < WorldTable.FailuresToSplit; failure++)
            two.OnEnded(two.TakeDue(two.NextDue!.Value)!, "killed", two.NextDue ?? 0);
        two.Worlds.Select(static world => string.Join(' ', world.Nodes)).ShouldBe(["a a a", "b"]);
    }

    [Fact]
    public void A_node_that_the_scheduler_has_lost_is_left_out_of_the_next_launch()
    {
        var table = new WorldTable(Names(3), 3, 0);
        var world = table.TakeDue(0)!;
        table.OnNodeLost("n1");
        world.Nodes.Count.ShouldBe(3);
        table.OnEnded(world, "n1 is down", 100_000);
        table.TakeDue(101_000)!.Nodes.ShouldBe(["n0", "n2"]);

        // Also while it waits, and a world without a node is over.
        table.OnEnded(world, "n0 is down", 300_000);
        table.OnNodeLost("n0");
        table.OnNodeLost("n2");
        table.IsOver.ShouldBeTrue();
    }

    [Fact]
    public void The_node_of_a_killed_rank_goes_on_as_a_world_of_its_own()
    {
        var table = new WorldTable(Names(3), 3, 0);
        var world = table.TakeDue(0)!;
        var own = table.OnRankLost(world, "n1", "killed", 5_000)!;
        own.Nodes.ShouldBe(["n1"]);
        world.Nodes.ShouldBe(["n0", "n2"]);
        world.State.ShouldBe(WorldState.Running);
        table.TakeDue(5_000).ShouldBeNull();
        table.TakeDue(6_000).ShouldBe(own);

        // The rest begins anew without it, and what is no node of it, or its only one, gives none.
        table.OnRankLost(world, "n1", "killed", 7_000).ShouldBeNull();
        table.OnRankLost(own, "n1", "killed", 7_000).ShouldBeNull();
        table.OnEnded(world, "its leader was killed", 100_000);
        table.TakeDue(101_000)!.Nodes.ShouldBe(["n0", "n2"]);
        table.OnNodeLost("n2");
        table.OnRankLost(world, "n2", "killed", 102_000).ShouldBeNull("the scheduler has taken it");
        world.Nodes.ShouldBe(["n0"]);
    }

    [Fact]
    public void How_a_world_ended_is_told_until_it_has_run_for_a_while_again()
    {
        var table = new WorldTable(Names(4), 2, 0);
        var (first, second) = (table.TakeDue(0)!, table.TakeDue(0)!);
        (table.Note(0), table.PastAt).ShouldBe(("", null));
        table.OnEnded(first, "signal 9", 100_000);
        (table.Note(100_500), table.PastAt).ShouldBe(("world 1 on n0 and 1 other ended: signal 9", null));
        table.TakeDue(101_000);
        table.Note(101_000).ShouldBe("world 1 on n0 and 1 other ended: signal 9; it was launched again");

        // Another end before that is the one that is told.
        table.OnEnded(second, "exit code 3", 150_000);
        table.Note(150_000).ShouldBe("world 2 on n2 and 1 other ended: exit code 3");
        table.TakeDue(151_000);
        table.PastAt.ShouldBe(151_000 + WorldTable.StableMilliseconds);
        table.Note(151_000 + WorldTable.StableMilliseconds - 1).ShouldNotBeEmpty();
        table.Note(151_000 + WorldTable.StableMilliseconds).ShouldBeEmpty();
    }

    [Fact]
    public void Why_a_node_was_given_up_is_told_for_good()
    {
        var table = new WorldTable(Names(2), 1, 0);
        table.TakeDue(0);
        while (table.GivenUp.Count == 0)
            table.OnEnded(table.TakeDue(table.NextDue!.Value)!, "no MPI library", table.NextDue ?? 0);
        table.Note(long.MaxValue).ShouldBe("world 2 on n1 ended: no MPI library");
    }

    [Fact]
    public void A_killed_rank_is_told_of_until_its_node_has_run_for_a_while_again()
    {
        var table = new WorldTable(Names(2), 2, 0);
        var own = table.OnRankLost(table.TakeDue(0)!, "n1", "rank 1 of world 1 on n1 was killed", 5_000)!;
        table.Note(5_000).ShouldBe("rank 1 of world 1 on n1 was killed: its node goes on as world 2");
        table.TakeDue(6_000).ShouldBe(own);
        table.Note(6_000).ShouldBe("rank 1 of world 1 on n1 was killed: its node goes on as world 2; it was launched again");
        table.Note(6_000 + WorldTable.StableMilliseconds).ShouldBeEmpty();
    }

    [Fact]
    public void Managers_that_dial_for_themselves_are_told_of_by_their_node()
    {
        var table = new WorldTable(Names(2), 1, 0) { OfManagers = true };
        table.OnEnded(table.TakeDue(0)!, "exit code 3", 5_000);
        table.Note(5_000).ShouldBe("the manager on n0 ended: exit code 3");
    }

    private static string[] Names(int count) => [.. Enumerable.Range(0, count).Select(static number => $"n{number}")];
}
