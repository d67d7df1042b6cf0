using FuncX.Tests.Integration.Harness;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

[Collection("worlds")]
public sealed class WorldRunTests
{
    private const int Tasks = 20_000;

    // protocol/README.md: a side that has heard nothing for five heartbeats counts as gone.
    private const int SilentHeartbeats = 5;

    [Theory]
    [LongData(Launcher.OpenMpi, 1)]
    [InlineData(Launcher.OpenMpi, 4)]
    [LongData(Launcher.OpenMpi, 16)]
    [InlineData(Launcher.Mpich, 1)]
    [LongData(Launcher.Mpich, 4)]
    [InlineData(Launcher.Mpich, 16)]
    public void Twenty_thousand_calls_come_back_right(Launcher launcher, int ranks)
    {
        using var world = new WorldUnderTest(launcher, ranks).Ready();
        var leader = world.Endpoint.Leaders.ShouldHaveSingleItem();
        leader.GetProperty("block").GetString().ShouldBe("b1");
        world.Endpoint.Managers.Values.Select(static manager => manager.Node).Distinct().Count().ShouldBe(ranks);
        world.Endpoint.Managers.Keys.Order().ShouldBe(Enumerable.Range(1, ranks).Select(static number => (uint)number));
        var ids = Enumerable.Range(0, Tasks).Select(_ => world.NewId()).ToArray();
        foreach (var (index, chunk) in ids.Chunk(100).Index())
            world.Endpoint.Submit((uint)(index % ranks) + 1, chunk.Select(id => (id, $"[{id.Index * 3}]")), "echo");
        world.Eventually(() => world.Endpoint.Results.Count == Tasks, "all results", seconds: 60);
        foreach (var (index, chunk) in ids.Chunk(100).Index())
        {
            foreach (var id in chunk)
            {
                var answer = world.Endpoint.Results[id].ShouldHaveSingleItem();
                answer.Value.ShouldBe($"{id.Index * 3}");
                answer.Header.Destination.ShouldBe((uint)(index % ranks) + 1);
                answer.Header.Ticket.ShouldBe(id.Index + 1000);
                answer.Header.Epoch.ShouldBe(7u);
            }
        }
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void Large_arguments_and_results_pass_among_small_ones(Launcher launcher)
    {
        const int HeartbeatMs = 1_000;
        using var world = new WorldUnderTest(launcher, ranks: 4, heartbeatMs: HeartbeatMs).Ready();
        var arguments = world.Submit(2, "length", $"[\"{new string('z', 9_000_000)}\"]");
        var result = world.Submit(3, "big", "[30000000]");
        var small = Enumerable.Range(0, 400).Select(i => world.Submit((uint)(i % 4) + 1, "echo", $"[{i}]")).ToArray();
        foreach (var (i, id) in small.Index())
            world.Result(id).Value.ShouldBe($"{i}");
        world.Result(arguments).Value.ShouldBe("9000000");
        world.Result(result).Value.ShouldBe($"\"{new string('y', 30_000_000)}\"");
        world.Endpoint.Gone.ShouldBeEmpty();
        world.Endpoint.Connections.ShouldBe(1);
        world.Endpoint.LongestSilence.TotalMilliseconds.ShouldBeLessThan(SilentHeartbeats * HeartbeatMs);
    }

    /// <summary>Heartbeats of a second: the leader would call a rank gone that it has not heard for five of them, and is not silent for as long itself.</summary>
    [Theory]
    [LongData(Launcher.OpenMpi)]
    [LongData(Launcher.Mpich)]
    public void A_result_of_100_MB_among_100_000_tiny_ones_costs_no_heartbeat(Launcher launcher)
    {
        const int HeartbeatMs = 1_000;
        const int Ranks = 4;
        const int Tiny = 100_000;
        const int Characters = 100_000_000;
        using var world = new WorldUnderTest(launcher, Ranks, heartbeatMs: HeartbeatMs).Ready();
        var large = world.Submit(3, "big", $"[{Characters}]");
        var ids = Enumerable.Range(0, Tiny).Select(_ => world.NewId()).ToArray();
        foreach (var (index, chunk) in ids.Chunk(100).Index())
            world.Endpoint.Submit((uint)(index % Ranks) + 1, chunk.Select(id => (id, $"[{id.Index * 3}]")), "echo");
        world.Eventually(() => world.Endpoint.Results.Count == Tiny + 1, "all results", seconds: 120);

        foreach (var id in ids)
            world.Endpoint.Results[id].ShouldHaveSingleItem().Value.ShouldBe($"{id.Index * 3}");
        world.Endpoint.Results[large].ShouldHaveSingleItem().Value.Length.ShouldBe(Characters + 2);
        world.Endpoint.Gone.ShouldBeEmpty();
        world.Endpoint.Connections.ShouldBe(1);
        world.Endpoint.Managers.Values.ShouldAllBe(static manager => manager.Hellos == 1);
        world.Endpoint.LongestSilence.TotalMilliseconds.ShouldBeLessThan(SilentHeartbeats * HeartbeatMs);
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_leader_may_keep_no_workers(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4, options: ["--leader-only"]).Ready(managers: 3);
        world.Endpoint.Managers.Keys.Order().ShouldBe([2u, 3u, 4u]);
        world.Run(4, "echo", "[4]").Value.ShouldBe("4");
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [LongData(Launcher.Mpich)]
    public void Before_the_end_of_its_job_a_world_gives_back_what_waits_finishes_what_it_can_and_says_what_it_could_not(Launcher launcher)
    {
        var at = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 20;
        using var world = new WorldUnderTest(launcher, ranks: 2, options: ["--drain-at", $"{at}", "--drain-for", "10"]).Ready();
        var file = Path.Combine(world.Folder, "go");
        var endless = world.Submit(1, "begin", $"[\"{world.Folder}/begun-1\",\"nap\",600]");
        var finishes = world.Submit(2, "begin", $"[\"{world.Folder}/begun-2\",\"wait_for\",\"{file}\",5]");
        world.Eventually(() => Directory.GetFiles(world.Folder, "begun-*").Length == 2, "both tasks to run");
        var waiting = world.Submit(2, "nap", "[600]");

        world.Eventually(() => world.Endpoint.Returned.Contains(waiting), "what waited to come back", seconds: 60);
        DateTimeOffset.UtcNow.ToUnixTimeSeconds().ShouldBeGreaterThanOrEqualTo(at);
        world.Endpoint.First(endless).ShouldBeNull("what runs may go on for a while");
        File.WriteAllText(file, "");
        world.Result(finishes).Value.ShouldBe("5");
        world.Result(endless).Prefix.Outcome.ShouldBe(TaskOutcome.AttemptLost);
        world.WaitForEnd();
        world.Process.ExitCode.ShouldBe(0, world.Said);
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [LongData(Launcher.Mpich)]
    public void A_world_whose_job_is_made_longer_drains_later(Launcher launcher)
    {
        var at = DateTimeOffset.UtcNow.AddSeconds(15);
        using var world = new WorldUnderTest(launcher, ranks: 2, options: ["--drain-at", $"{at.ToUnixTimeSeconds()}", "--drain-for", "10"]).Ready();
        for (var destination = 0u; destination <= 2; destination++)
            world.Endpoint.JobEnds(destination, at.AddMinutes(10));
        world.Eventually(() => DateTimeOffset.UtcNow > at.AddSeconds(2), "the time at which it would have begun to drain", seconds: 60);
        world.Run(2, "echo", "[2]").Value.ShouldBe("2");
        world.Endpoint.Managers.Values.Any(static manager => manager.Status.TryGetProperty("draining", out _)).ShouldBeFalse();
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_world_that_is_launched_when_its_job_is_about_to_end_ends_by_itself(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 2, options: ["--drain-at", $"{DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 1}", "--drain-for", "1"]);
        world.WaitForEnd(60);
        world.Process.ExitCode.ShouldBe(0, world.Said);
    }

    [Theory]
    [InlineData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_drained_world_finishes_what_runs_and_ends_well(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4).Ready();
        var running = Enumerable.Range(1, 4).Select(rank => world.Submit((uint)rank, "begin", $"[\"{world.Folder}/begun-{rank}\",\"nap\",1]")).ToArray();
        world.Eventually(() => Directory.GetFiles(world.Folder, "begun-*").Length == 4, "all tasks to run");
        var waiting = world.Submit(3, "nap", "[60]");
        world.Endpoint.Send(FrameKind.Drain, destination: 0);
        world.WaitForEnd();
        world.Process.ExitCode.ShouldBe(0, world.Said);
        foreach (var id in running)
            world.Result(id).Value.ShouldBe("1");
        world.Endpoint.Returned.ShouldContain(waiting);
    }

    [Theory]
    [InlineData(Launcher.OpenMpi)]
    [LongData(Launcher.Mpich)]
    public void A_terminated_leader_drains_the_world(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4).Ready();
        var running = Enumerable.Range(1, 4).Select(rank => world.Submit((uint)rank, "begin", $"[\"{world.Folder}/begun-{rank}\",\"nap\",1]")).ToArray();
        world.Eventually(() => Directory.GetFiles(world.Folder, "begun-*").Length == 4, "all tasks to run");
        world.Signal(world.Endpoint.Managers[1].Pid, "TERM");
        world.WaitForEnd();
        world.Process.ExitCode.ShouldBe(0, world.Said);
        foreach (var id in running)
            world.Result(id).Value.ShouldBe("1");
    }

    [Theory]
    [InlineData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void Workers_see_nothing_of_the_launcher_and_a_task_may_use_MPI_itself(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 2).Ready();
        foreach (var manager in new uint[] { 1, 2 })
        {
            var names = System.Text.Json.JsonSerializer.Deserialize<string[]>(world.Run(manager, "environment").Value)!;
            names.ShouldContain("SLURM_JOB_ID");
            names.ShouldNotContain(static name => name.StartsWith("PMI", StringComparison.Ordinal) || name.StartsWith("OMPI_", StringComparison.Ordinal) || name.StartsWith("MPI_LOCAL", StringComparison.Ordinal)
                || name.StartsWith("SLURM_STEP", StringComparison.Ordinal) || name == "SLURM_PROCID" || name == "SLURM_LOCALID" || name.StartsWith("FUNCX_FAIL", StringComparison.Ordinal));
        }

        world.Run(2, "mpi_size", $"[\"{(launcher == Launcher.OpenMpi ? "libmpi.so.40" : "libmpich.so.12")}\"]").Value.ShouldBe("1");
        world.Run(2, "echo", "[3]").Value.ShouldBe("3");
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_world_of_another_size_than_was_asked_for_says_why_and_ends(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 1, options: ["--ranks", "4"]);
        world.WaitForEnd();
        world.Process.ExitCode.ShouldBe(78, world.Said);
        world.Said.ShouldContain("this MPI world has 1 rank, and 4 were to be started");
    }
}
