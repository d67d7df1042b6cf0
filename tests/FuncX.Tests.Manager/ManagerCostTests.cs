using System.Diagnostics;
using System.Globalization;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Measures what a manager costs; run by name (explicit), on a machine with nothing else to do.</summary>
public sealed class ManagerCostTests(ITestOutputHelper output)
{
    [Fact(Explicit = true)]
    public void Cpu_per_no_op()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        var function = node.Function("echo");
        node.Run("echo", "[1]");
        var before = Cpu(node.Process.Id);
        var watch = Stopwatch.StartNew();
        const int Tasks = 300_000;
        var sent = 0;
        while (sent < Tasks)
        {
            node.Endpoint.Tasks(Enumerable.Range(0, 1000).Select(_ => (node.NewId(), "[1]")).ToArray(), function, 1);
            sent += 1000;
            node.Eventually(() => node.Endpoint.Results.Count > sent - 8000, "room");
        }

        node.Eventually(() => node.Endpoint.Results.Count > Tasks, "all results");
        var seconds = watch.Elapsed.TotalSeconds;
        output.WriteLine($"{Tasks / seconds:F0} tasks/s, manager {(Cpu(node.Process.Id) - before) * 1e6 / Tasks:F2} us per task, private {PrivateKilobytes(node.Process.Id)} KiB");
    }

    [Fact(Explicit = true)]
    public void Sixty_four_workers()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 64)).Ready();
        node.Run("echo", "[1]");
        var watch = Stopwatch.StartNew();
        var naps = Enumerable.Range(0, 64).Select(_ => node.Submit("nap", "[0.5]")).ToArray();
        node.Eventually(() => naps.All(id => node.Endpoint.First(id) is not null), "all naps");
        output.WriteLine($"64 workers had run 0.5 s each after {watch.Elapsed.TotalMilliseconds:F0} ms");
        var cpu = Cpu(node.Process.Id);
        Thread.Sleep(10_000);
        output.WriteLine($"private {PrivateKilobytes(node.Process.Id)} KiB, idle {(Cpu(node.Process.Id) - cpu) / 10 * 100:F2} % of a core");
        var times = Enumerable.Range(0, 300).Select(_ =>
        {
            var sent = Stopwatch.GetTimestamp();
            node.Run("echo", "[1]");
            return Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
        }).Order().ToArray();
        output.WriteLine($"one call after the other: p50 {times[150]:F2} ms (with the 2-ms polling of this test)");
        naps.Length.ShouldBe(64);
    }

    private static double Cpu(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / 100;
    }

    private static long PrivateKilobytes(int pid) => File.ReadLines($"/proc/{pid}/smaps_rollup")
        .Where(line => line.StartsWith("Private_", StringComparison.Ordinal))
        .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture));
}
