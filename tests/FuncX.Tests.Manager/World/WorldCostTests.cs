using System.Diagnostics;
using System.Globalization;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>Measures what a world costs; run by name (explicit), on a machine with nothing else to do.</summary>
[Collection("worlds")]
public sealed class WorldCostTests(ITestOutputHelper output)
{
    [Theory(Explicit = true)]
    [InlineData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void Sixteen_idle_ranks(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, ranks: 16, heartbeatMs: 5000).Ready();
        var firsts = new List<double>();
        for (var round = 0; round < 6; round++)
        {
            foreach (var manager in world.Endpoint.Managers.Values)
                world.Run(manager.Number, "echo", "[1]");
            Thread.Sleep(2000);
            var pids = world.Endpoint.Managers.Values.Select(static manager => manager.Pid).ToArray();
            var before = pids.Select(Cpu).ToArray();
            var watch = Stopwatch.StartNew();
            Thread.Sleep(10_000);
            var percent = pids.Select(Cpu).Zip(before).Select(pair => (pair.First - pair.Second) / watch.Elapsed.TotalSeconds * 100).ToArray();
            output.WriteLine($"idle: {percent.Average():F3} % per rank, leader {percent[0]:F3} %, most {percent.Max():F3} %");
            var sent = Stopwatch.GetTimestamp();
            world.Run((uint)(round * 3) + 1, "echo", "[1]");
            firsts.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        output.WriteLine($"first task after idle, ms: {string.Join(", ", firsts.Select(static ms => ms.ToString("F1", CultureInfo.InvariantCulture)))}");
        firsts.Count.ShouldBe(6);
    }

    [Theory(Explicit = true)]
    [InlineData(Launcher.OpenMpi)]
    [InlineData(Launcher.Mpich)]
    public void Cpu_per_no_op(Launcher launcher)
    {
        const int Tasks = 200_000;
        using var world = new WorldUnderTest(launcher, ranks: 3, options: ["--leader-only"]).Ready(managers: 2);
        foreach (var manager in world.Endpoint.Managers.Values)
            world.Run(manager.Number, "echo", "[1]");
        var leaders = NodeUnderTest.ProcessesIn(world.Folder).Where(pid => IsRank(pid) && world.Endpoint.Managers.Values.All(manager => manager.Pid != pid)).ToArray();
        leaders.ShouldHaveSingleItem();
        var before = leaders.Sum(Cpu);
        var members = world.Endpoint.Managers.Values.Select(static manager => manager.Pid).ToArray();
        var membersBefore = members.Sum(Cpu);
        var watch = Stopwatch.StartNew();
        var sent = 0;
        while (sent < Tasks)
        {
            world.Endpoint.Submit((uint)(sent / 1000 % 2) + 2, Enumerable.Range(0, 1000).Select(_ => (world.NewId(), "[1]")).ToArray(), "echo");
            sent += 1000;
            world.Eventually(() => world.Endpoint.Results.Count > sent - 8000, "room");
        }

        world.Eventually(() => world.Endpoint.Results.Count == Tasks + 2, "all results");
        output.WriteLine($"{Tasks / watch.Elapsed.TotalSeconds:F0} tasks/s (this test's endpoint included), leader {(leaders.Sum(Cpu) - before) * 1e6 / Tasks:F2} us per task, members {(members.Sum(Cpu) - membersBefore) * 1e6 / Tasks:F2}");
    }

    private static bool IsRank(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Split('\0') is [var program, "--world", ..] && program.EndsWith("funcx-manager", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static double Cpu(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / 100;
    }
}
