using System.Text.Json;
using FuncX.Tests.Integration.Harness;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>Large functions on their way down the ranks of real worlds. Rank n is manager n + 1; ranks 2n + 1 and 2n + 2 are below it.</summary>
[Collection("worlds")]
public sealed class FunctionBroadcastTests
{
    private const int Ranks = 8;
    private static readonly string s_large = $"\n# {new string('c', 5_000_000)}\n";

    [Theory]
    [InlineData(Launcher.Mpich)]
    [LongData(Launcher.OpenMpi)]
    public void Every_rank_runs_a_large_function_that_the_leader_has_sent_to_those_below_it_alone(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, Ranks).Ready();
        world.Endpoint.MoreSource = s_large;
        foreach (var (manager, id) in world.Endpoint.Managers.Keys.Select(manager => (manager, world.Submit(manager, "echo", $"[{manager}]"))).ToArray())
            world.Result(id).Value.ShouldBe($"{manager}");
        world.Endpoint.FunctionsSent.ShouldBe(1);
        long bytes = world.Endpoint.FunctionBytes;
        world.Eventually(() => world.Endpoint.Managers.Keys.Where(static manager => manager > 1).All(manager => Hop(world, manager, "function_bytes_received") == bytes), "each to say what it has had");
        Hop(world, 1, "functions_received").ShouldBe(0);
        world.Endpoint.Managers.Keys.Sum(manager => Hop(world, manager, "functions_received")).ShouldBe(Ranks - 1);
        world.Eventually(() => world.Endpoint.Managers.Keys.Sum(manager => Hop(world, manager, "function_bytes_sent")) >= (Ranks - 1) * bytes, "each to say what it has given on");
        Hop(world, 1, "function_bytes_sent").ShouldBeInRange(2 * bytes, (3 * bytes) - 1, "a rank that is passed over because it is slow would cost the leader a part of another");
        Hop(world, Ranks, "function_bytes_sent").ShouldBe(0);

        // A rank whose workers know it from the connection before needs it no more.
        world.Endpoint.Disconnect();
        world.Eventually(() => world.Endpoint.Connections == 2 && world.Endpoint.Present == Ranks, "the world again");
        world.Run(Ranks, "echo", "[0]").Value.ShouldBe("0");
        world.Eventually(() => Hop(world, Ranks, "tasks_received") == 2, "a status since then");
        Hop(world, Ranks, "function_bytes_received").ShouldBe(bytes);
        world.Endpoint.FunctionsSent.ShouldBe(2);
        world.Endpoint.Gone.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(5)]
    [LongData(Ranks)]
    public void When_the_rank_above_stops_and_dies_the_others_have_the_function_from_the_leader(int ranks)
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks, heartbeatMs: 300, launcherOptions: ["--enable-recovery"]).Ready();
        world.Endpoint.MoreSource = s_large;
        var stopped = world.Endpoint.Managers[2].Pid;
        world.Signal(stopped, "STOP");
        var ids = world.Endpoint.Managers.Keys.Where(static manager => manager != 2).ToDictionary(static manager => manager, manager => world.Submit(manager, "echo", $"[{manager}]"));
        world.Result(ids[3]).Value.ShouldBe("3");
        world.Signal(stopped, "KILL");
        foreach (var (manager, id) in ids)
            world.Result(id).Value.ShouldBe($"{manager}");
        world.Eventually(() => world.Said.Contains("rank 1 above has sent nothing of function", StringComparison.Ordinal), "the word of a rank below");
        long bytes = world.Endpoint.FunctionBytes;
        world.Eventually(() => Hop(world, 1, "function_bytes_sent") >= 3 * bytes, "the leader to say what it has sent");
        world.Endpoint.Connections.ShouldBe(1);
    }

    [Fact]
    public void While_a_function_is_on_its_way_its_tasks_can_be_taken_back_and_those_of_others_run()
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks: 4, heartbeatMs: 10_000).Ready();
        world.Run(4, "echo", "[1]").Value.ShouldBe("1");
        world.Endpoint.MoreSource = s_large;
        var above = world.Endpoint.Managers[2].Pid;
        world.Signal(above, "STOP");
        var (waits, cancelled, recalled) = (world.Submit(4, "length", "[\"abc\"]"), world.Submit(4, "length", "[\"abc\"]"), world.Submit(4, "length", "[\"abc\"]"));
        world.Endpoint.Cancel(4, cancelled);
        world.Endpoint.Send(FrameKind.Recall, destination: 4, BitConverter.GetBytes(1u));
        world.Run(4, "echo", "[2]").Value.ShouldBe("2");
        world.Result(cancelled).Prefix.Outcome.ShouldBe(TaskOutcome.Cancelled);
        world.Eventually(() => world.Endpoint.Returned.Contains(recalled), "the last one to come back");

        // What waits belongs to its connection: it is given again.
        world.Endpoint.Disconnect();
        world.Eventually(() => world.Endpoint.Connections == 2 && world.Endpoint.Present == 3, "the others again");
        world.Signal(above, "CONT");
        world.Result(waits).Value.ShouldBe("3");
        world.Eventually(() => world.Endpoint.Present == 4, "all of them");
        world.Endpoint.Gone.ShouldBeEmpty();

        world.Signal(above, "STOP");
        var drained = world.Submit(4, "big", "[1]");
        world.Endpoint.Send(FrameKind.Drain, destination: 4);
        world.Eventually(() => world.Endpoint.Returned.Contains(drained), "what waits to come back");
        world.Signal(above, "CONT");
        world.Endpoint.Returned.Count.ShouldBe(2);

        // The one that has drained ends, and no other.
        world.Eventually(() => !world.Endpoint.Gone.IsEmpty, "the word that it is gone");
        world.Endpoint.Gone.ShouldBe([4u]);
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [LongData(Launcher.Mpich)]
    public void Simulated_managers_have_their_rank_bring_a_function_once(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4, workers: new { per_node = 64, simulate = true, managers_per_rank = 8 }).Ready(4 * 8);
        world.Endpoint.MoreSource = s_large;
        foreach (var id in world.Endpoint.Managers.Keys.Select(manager => world.Submit(manager, "echo")).ToArray())
            world.Result(id).Prefix.Outcome.ShouldBe(TaskOutcome.Value);
        long bytes = world.Endpoint.FunctionBytes;
        foreach (var manager in new uint[] { 2, 3, 4 })
            world.Eventually(() => Hop(world, manager, "functions_received") == 1 && Hop(world, manager, "function_bytes_received") == bytes, $"manager {manager} to have it");
        world.Endpoint.Managers.Keys.Sum(manager => Hop(world, manager, "functions_received")).ShouldBe(3);
        world.Endpoint.FunctionsSent.ShouldBe(1);
    }

    private static long Hop(WorldUnderTest world, uint manager, string name) =>
        world.Endpoint.Managers[manager].Status is { ValueKind: JsonValueKind.Object } status ? status.GetProperty("hops").GetProperty(name).GetInt64() : 0;
}
