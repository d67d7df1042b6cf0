using FuncX.Tests.Integration.Harness;
using System.Text;
using FuncX.Manager.World.Simulation;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

[Collection("worlds")]
public sealed class SimulatedWorkersTests
{
    private const int Ranks = 4;
    private const int Managers = 8;

    [Theory]
    [InlineData("[0.25]", 250_000)]
    [InlineData("[2, \"more\"]", 2_000_000)]
    [InlineData("[ 1e-3]", 1_000)]
    [InlineData("[]", 0)]
    [InlineData("", 0)]
    [InlineData("[\"text\"]", 0)]
    [InlineData("[-1]", 0)]
    [InlineData("{\"args\": [1]}", 0)]
    [InlineData("[1e300]", 86_400_000_000)]
    public void A_task_states_its_duration_as_its_first_argument(string arguments, long microseconds) =>
        SimulatedTask.DurationOf(ContentType.Json, Encoding.UTF8.GetBytes(arguments)).ShouldBe(microseconds);

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void Logical_managers_answer_every_task_over_cut_connections(Launcher launcher)
    {
        using var world = World(launcher).Ready(Ranks * Managers);
        world.Endpoint.Managers.Values.Select(static manager => manager.Id).Distinct().Count().ShouldBe(Ranks * Managers);
        var ids = new List<TaskId>();
        for (var round = 0; round < 3; round++)
        {
            foreach (var manager in world.Endpoint.Managers.Keys)
            {
                var chunk = Enumerable.Range(0, 200).Select(_ => world.NewId()).ToArray();
                world.Endpoint.Submit(manager, chunk.Select(static id => (id, id.Index % 10 == 0 ? "[0.1]" : "[]")), "echo");
                ids.AddRange(chunk);
            }

            world.Endpoint.Disconnect();
            var connection = round + 2;
            world.Eventually(() => world.Endpoint.Connections == connection && world.Endpoint.Present == Ranks * Managers, "the world again");
        }

        world.Eventually(() => world.Endpoint.Results.Count == ids.Count, "all results", seconds: 60);
        foreach (var id in ids)
        {
            var answer = world.Endpoint.First(id)!;
            answer.Prefix.Outcome.ShouldBe(TaskOutcome.Value);
            answer.Header.Ticket.ShouldBe(id.Index + 1000);
            (answer.Prefix.WorkerEnded - answer.Prefix.WorkerStarted >= 100_000).ShouldBe(id.Index % 10 == 0);
        }
    }

    [Fact]
    public void Workers_are_as_many_as_is_said_and_wait_as_long_as_is_stated()
    {
        using var world = World(Launcher.Mpich).Ready(Ranks * Managers);
        var ids = world.Endpoint.Managers.Keys.ToDictionary(static manager => manager, manager => Enumerable.Range(0, 128).Select(_ => world.Submit(manager, "nap", "[0.5]")).ToArray());
        var cancelled = world.Submit(1, "nap", "[1000]");
        world.Endpoint.Cancel(1, cancelled);
        world.Result(cancelled).Prefix.Outcome.ShouldBe(TaskOutcome.Cancelled);
        world.Eventually(() => world.Endpoint.Results.Count == (128 * ids.Count) + 1, "all results");
        var atOnce = new List<int>();
        foreach (var calls in ids.Values)
        {
            var times = calls.Select(id => world.Endpoint.First(id)!.Prefix).ToArray();
            times.ShouldAllBe(static time => time.WorkerEnded - time.WorkerStarted >= 499_000);
            atOnce.Add(times.Max(one => times.Count(other => other.WorkerStarted <= one.WorkerStarted && one.WorkerStarted < other.WorkerEnded)));
        }

        atOnce.Max().ShouldBe(64);
        world.Endpoint.Gone.ShouldBeEmpty();
    }

    [Fact]
    public void All_logical_managers_of_a_stopped_rank_are_gone_and_come_back()
    {
        using var world = World(Launcher.OpenMpi, heartbeatMs: 300).Ready(Ranks * Managers);
        var pid = world.Endpoint.Managers[2].Pid;
        world.Signal(pid, "STOP");
        world.Eventually(() => world.Endpoint.Gone.Count == Managers, "the word that they are gone");
        world.Endpoint.Gone.ShouldAllBe(static number => number % Ranks == 2);
        world.Signal(pid, "CONT");
        world.Eventually(() => world.Endpoint.Present == Ranks * Managers, "all managers again");
        world.Run(2 + (3 * Ranks), "echo").Prefix.Outcome.ShouldBe(TaskOutcome.Value);
    }

    [Fact]
    public void A_drained_world_gives_back_what_waits()
    {
        using var world = World(Launcher.OpenMpi).Ready(Ranks * Managers);
        var ids = Enumerable.Range(0, 100).Select(_ => world.Submit(5, "nap", "[1]")).ToArray();
        world.Endpoint.Send(FrameKind.Drain, destination: 0);
        world.WaitForEnd();
        world.Process.ExitCode.ShouldBe(0, world.Said);
        (world.Endpoint.Results.Count + world.Endpoint.Returned.Count).ShouldBe(ids.Length);
        world.Endpoint.Returned.Count.ShouldBe(36);
    }

    private static WorldUnderTest World(Launcher launcher, int heartbeatMs = 1000) =>
        new(launcher, Ranks, heartbeatMs: heartbeatMs, workers: new { per_node = 64, simulate = true, managers_per_rank = Managers });
}
