using System.Diagnostics;
using FuncX.Manager.Spawning;
using FuncX.Tests.Integration.Harness;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

[Collection("worlds with faults")]
public sealed class WorldFaultTests
{
    [Theory]
    [InlineData(Launcher.OpenMpi, 4)]
    [LongData(Launcher.Mpich, 4)]
    [LongData(Launcher.OpenMpi, 16)]
    public void A_cut_connection_loses_nothing_and_runs_nothing_again(Launcher launcher, int ranks)
    {
        using var world = new WorldUnderTest(launcher, ranks).Ready();
        var notes = Path.Combine(world.Folder, "notes");
        var ids = new List<TaskId>();
        for (var round = 0; round < 4; round++)
        {
            for (var rank = 1; rank <= ranks; rank++)
            {
                var chunk = Enumerable.Range(0, 2000 / ranks).Select(_ => world.NewId()).ToArray();
                world.Endpoint.Submit((uint)rank, chunk.Select(id => (id, $"[\"{notes}\",\"{id.Index}\"]")), "note");
                ids.AddRange(chunk);
            }

            var seen = world.Endpoint.Results.Count;
            world.Eventually(() => world.Endpoint.Results.Count > seen + 50, "some results");
            world.Endpoint.Disconnect();
            var connection = round + 2;
            world.Eventually(() => world.Endpoint.Connections == connection && world.Endpoint.Present == ranks, "the world again");
        }

        world.Eventually(() => world.Endpoint.Results.Count == ids.Count, "all results", seconds: 60);
        foreach (var id in ids)
            world.Endpoint.First(id)!.Value.ShouldBe($"\"{id.Index}\"");
        File.ReadAllLines(notes).CountBy(static line => line).ShouldAllBe(static line => line.Value == 1);
        world.Endpoint.Managers.Values.ShouldAllBe(static manager => manager.Hellos == 5);
        world.Endpoint.Leaders.Select(static leader => leader.GetProperty("manager").GetString()).Distinct().Count().ShouldBe(1);
    }

    [Fact]
    public void A_killed_rank_is_told_and_the_others_go_on_where_the_launcher_lets_them()
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks: 4, heartbeatMs: 300, launcherOptions: ["--enable-recovery"]).Ready();
        world.Run(3, "echo", "[1]");
        world.Signal(world.Endpoint.Managers[3].Pid, "KILL");
        world.Eventually(() => !world.Endpoint.Gone.IsEmpty, "the word that a rank is gone");
        world.Endpoint.Gone.ShouldBe([3u]);
        foreach (var manager in new uint[] { 1, 2, 4 })
            world.Run(manager, "echo", "[2]").Value.ShouldBe("2");
        world.Endpoint.Connections.ShouldBe(1);
    }

    [Fact]
    public void Of_a_killed_rank_its_spawner_tells_long_before_its_silence_does()
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks: 3, heartbeatMs: 10_000, options: ["--launch", "7"], launcherOptions: ["--enable-recovery"]);
        var marks = MakeMarks(world);
        world.Ready();
        world.Signal(world.Endpoint.Managers[3].Pid, "KILL");
        world.Eventually(() => !world.Endpoint.Gone.IsEmpty, "the word that a rank is gone", seconds: 20);
        world.Endpoint.Gone.ShouldBe([3u]);
        File.ReadAllLines(marks).ShouldContain($"lost 2 {Environment.MachineName}");
        world.Run(2, "echo", "[2]").Value.ShouldBe("2");

        // A rank that is told to end says nothing.
        world.Endpoint.Send(FrameKind.Drain, destination: 0, []);
        world.Eventually(() => File.ReadAllLines(marks).Contains("over 0"), "the world to be over");
        world.Eventually(() => NodeUnderTest.ProcessesIn(world.Folder).All(pid => pid == world.Process.Id), "nobody but mpirun to be left, who could tell more");
        File.ReadAllLines(marks).Count(static line => line.StartsWith("lost", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public void A_rank_whose_spawner_is_killed_tells_itself()
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks: 3, heartbeatMs: 10_000, options: ["--launch", "7"], launcherOptions: ["--enable-recovery"]);
        var marks = MakeMarks(world);
        world.Ready();
        var rank = world.Endpoint.Managers[3].Pid;
        world.Signal(ProcessTree.Descendants(rank).Single(static pid => File.ReadAllText($"/proc/{pid}/cmdline").Split('\0').Contains("--spawner")), "KILL");
        world.Eventually(() => !world.Endpoint.Gone.IsEmpty, "the word that a rank is gone", seconds: 20);
        world.Endpoint.Gone.ShouldBe([3u]);
        File.ReadAllLines(marks).ShouldContain($"lost 2 {Environment.MachineName}");
        // Said before the line in the file, but handed on by a launcher in its own time.
        world.Eventually(() => world.Said.Contains("which makes and reaps all processes of this node, died", StringComparison.Ordinal), "the rank's own words");
        world.Run(2, "echo", "[2]").Value.ShouldBe("2");
    }

    [Theory]
    [InlineData(Launcher.OpenMpi, 3u)]
    [LongData(Launcher.Mpich, 3u)]
    [LongData(Launcher.OpenMpi, 1u)]
    [InlineData(Launcher.Mpich, 1u)]
    public void A_world_that_its_launcher_ends_with_a_killed_rank_leaves_nothing(Launcher launcher, uint killed)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4).Ready();
        foreach (var manager in world.Endpoint.Managers.Values)
            world.Run(manager.Number, "echo", "[1]");
        world.Signal(world.Endpoint.Managers[killed].Pid, "KILL");
        world.WaitForEnd();
        world.Process.ExitCode.ShouldNotBe(0);
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_stopped_rank_is_gone_and_comes_back_with_the_results_it_held(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4, heartbeatMs: 300).Ready();
        var notes = Path.Combine(world.Folder, "notes");
        var slow = world.Submit(3, "begin", $"[\"{world.Folder}/begun\",\"nap_then_note\",1,\"{notes}\"]");
        world.Eventually(() => File.Exists(Path.Combine(world.Folder, "begun")), "the task to run");
        world.Signal(world.Endpoint.Managers[3].Pid, "STOP");
        var watch = Stopwatch.StartNew();
        world.Eventually(() => !world.Endpoint.Gone.IsEmpty, "the word that a rank is gone");
        watch.Elapsed.TotalMilliseconds.ShouldBeInRange(900, 10_000);
        world.Endpoint.Gone.ShouldBe([3u]);
        world.Run(2, "echo", "[2]").Value.ShouldBe("2");
        world.Eventually(() => File.Exists(notes), "the task to end in its worker");
        world.Endpoint.First(slow).ShouldBeNull();
        world.Signal(world.Endpoint.Managers[3].Pid, "CONT");
        world.Eventually(() => world.Endpoint.Managers[3] is { Hellos: 2, Present: true }, "a second hello");
        world.Result(slow).Value.ShouldBe("1");
        world.Run(3, "echo", "[3]").Value.ShouldBe("3");
        File.ReadAllLines(notes).ShouldHaveSingleItem();
        world.Endpoint.Connections.ShouldBe(1);
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_rank_that_stops_in_the_middle_of_large_results_does_not_hold_up_the_others(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4, heartbeatMs: 10_000).Ready();
        world.Run(2, "echo", "[1]");
        var large = Enumerable.Range(0, 24).Select(_ => world.Submit(3, "big", "[8000000]")).ToArray();
        for (var stops = 1; stops <= 8; stops++)
        {
            var seen = stops * 2;
            world.Eventually(() => large.Count(id => world.Endpoint.First(id) is not null) >= seen, "large results");
            world.Signal(world.Endpoint.Managers[3].Pid, "STOP");
            for (uint manager = 1; manager <= 4; manager++)
            {
                if (manager != 3)
                    world.Result(world.Submit(manager, "echo", "[2]"), seconds: 10).Value.ShouldBe("2");
            }

            world.Signal(world.Endpoint.Managers[3].Pid, "CONT");
        }

        foreach (var id in large)
            world.Result(id).Value.Length.ShouldBe(8_000_002);
        world.Endpoint.Gone.ShouldBeEmpty();
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void A_stopped_leader_finds_its_world_again(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 4, heartbeatMs: 300).Ready();
        world.Signal(world.Endpoint.Managers[1].Pid, "STOP");
        Thread.Sleep(2500);
        world.Signal(world.Endpoint.Managers[1].Pid, "CONT");
        for (uint manager = 1; manager <= 4; manager++)
            world.Run(manager, "echo", "[1]").Value.ShouldBe("1");
        world.Endpoint.Gone.ShouldBeEmpty();
    }

    [Fact]
    public void A_manager_that_is_refused_says_hello_again()
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks: 2).Ready();
        world.Run(2, "echo", "[1]");
        world.Endpoint.Send(FrameKind.Refused, destination: 2, "{\"reason\":\"tested\"}"u8.ToArray());
        world.Eventually(() => world.Endpoint.Managers[2].Hellos == 2, "a second hello");
        world.Run(2, "echo", "[2]").Value.ShouldBe("2");
        world.Run(1, "echo", "[2]").Value.ShouldBe("2");
        world.Endpoint.Managers[1].Hellos.ShouldBe(1);
    }

    [Fact]
    public void A_rank_that_does_not_take_its_tasks_and_an_endpoint_that_does_not_read_cost_the_leader_a_bounded_memory()
    {
        using var world = new WorldUnderTest(Launcher.OpenMpi, ranks: 3, heartbeatMs: 5000).Ready();
        world.Run(2, "echo", "[1]");
        var leader = world.Endpoint.Managers[1].Pid;
        world.Signal(world.Endpoint.Managers[3].Pid, "STOP");
        var sent = 0;
        var arguments = $"[\"{new string('z', 8_000_000)}\"]";
        var sender = new Thread(() =>
        {
            for (; sent < 30; sent++)
                world.Submit(3, "length", arguments);
        });
        sender.Start();
        Thread.Sleep(3000);
        Resident(leader).ShouldBeLessThan(180 << 20);
        sent.ShouldBeLessThan(30);
        world.Signal(world.Endpoint.Managers[3].Pid, "CONT");
        sender.Join(60_000).ShouldBeTrue();
        world.Eventually(() => world.Endpoint.Results.Count == 31, "all results", seconds: 60);

        world.Endpoint.Reads.Reset();
        for (uint i = 0; i < 30; i++)
            world.Submit(2 + (i % 2), "big", "[8000000]");
        Thread.Sleep(3000);
        Resident(leader).ShouldBeLessThan(180 << 20);
        world.Endpoint.Reads.Set();
        world.Eventually(() => world.Endpoint.Results.Count == 61, "all results", seconds: 60);
    }

    // What the agent makes before it launches a world.
    private static string MakeMarks(WorldUnderTest world)
    {
        var marks = Path.Combine(Directory.CreateDirectory(Path.Combine(world.Folder, "world")).FullName, "marks-7");
        File.WriteAllText(marks, "");
        return marks;
    }

    private static long Resident(int pid) => File.ReadLines($"/proc/{pid}/status")
        .Where(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
        .Sum(static line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024);
}
