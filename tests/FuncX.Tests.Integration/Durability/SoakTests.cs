using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Integration.Outcomes;

namespace FuncX.Tests.Integration.Durability;

/// <summary>
/// The same work of every kind again and again: values, failures, output and large results, every one of them right, and no process that grows with what it has done. Ten
/// minutes with <c>--full</c>.
/// </summary>
public sealed class SoakTests
{
    private const int Squares = 10_000;
    private const int Commands = 40;
    private const int Methods = 200;
    private const int Failures = 60;
    private const int Outputs = 60;
    private const int LargeResults = 2;
    private const int LargeBytes = 1 << 20;

    private const string Say = """
        import sys
        def say(x):
            print("line", x, "o" * 1000)
            print("e" * 500, file=sys.stderr)
            return x
        """;

    private const string Large = """
        def large(x, size):
            return chr(97 + x % 26) * size
        """;

    private static readonly TimeSpan s_length = Scenario.Full ? TimeSpan.FromMinutes(10) : TimeSpan.FromSeconds(12);

    /// <summary>
    /// How much larger than between the first third and the half a process may be in the last sixth, each the median of what it was after a round: a fifth, and room for
    /// what fills up to its bound and stays there (the service's commits in memory, 64 MiB, and pooled buffers). In the short run the processes still warm up meanwhile.
    /// </summary>
    private static readonly (double Factor, long Bytes) s_growth = Scenario.Full ? (1.2, 64L << 20) : (1.3, 128L << 20);

    [Fact]
    public async Task Work_that_goes_on_for_long_leaves_every_process_as_large_as_it_was() => await Scenario.RunAsync(new EndpointOptions { WorkersPerNode = 6 }, async cluster =>
    {
        var functions = new Functions(
            await cluster.Api.RegisterAsync(Python.Square, "square"),
            await cluster.Api.RegisterAsync(Python.Fail, "fail"),
            await cluster.Api.RegisterAsync(Say, "say"),
            await cluster.Api.RegisterAsync(Large, "large"),
            await cluster.Api.RegisterCommandAsync("print", """{"command": ["/bin/sh", "-c", "printf %s \"$1\"; exit $(($1 % 2))", "sh", "{x}"]}"""),
            await cluster.Api.RegisterDotnetAsync("Square"));
        var clock = Stopwatch.StartNew();
        var sizes = new List<(TimeSpan At, Dictionary<string, long> Bytes)>();
        do
        {
            await RoundAsync(cluster, functions);
            sizes.Add((clock.Elapsed, Sizes(cluster)));
        }
        while (clock.Elapsed < s_length);

        // A machine so slow that nothing came in between compares with what came last before.
        var middle = sizes.Where(static one => one.At >= s_length / 3 && one.At <= s_length / 2).DefaultIfEmpty(sizes[sizes.Count / 2]).ToList();
        var end = sizes.Where(static one => one.At >= s_length * (5.0 / 6)).ToList();
        var grown = sizes[^1].Bytes.Keys.Select(name => (Name: name, Early: Median(middle, name), Late: Median(end, name))).ToList();
        Scenario.Note(
            "soak",
            $"{sizes.Count} rounds of {Squares + Commands + Methods + Failures + Outputs + LargeResults:N0} tasks in {clock.Elapsed.TotalSeconds:F0} s; private memory in MB from a third to the half, and at the end: "
            + string.Join(", ", grown.Select(static entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Name} {entry.Early >> 20} -> {entry.Late >> 20}"))));
        foreach (var (name, early, late) in grown)
            late.ShouldBeLessThan((long)(early * s_growth.Factor) + s_growth.Bytes, $"{name} grew from {early} to {late} bytes in {sizes.Count} rounds");
    });

    // All at once, so that the kinds share the node's places.
    private static async Task RoundAsync(LocalCluster cluster, Functions functions)
    {
        await Task.WhenAll(
            CheckAsync(cluster, functions.Square, Squares, static (i, result) => result.ShouldHaveValue($"{((long)i * i) + 7}")),
            CheckAsync(cluster, functions.Fail, Failures, static (i, result) =>
            {
                result.Outcome.ShouldBe(Outcome.Exception);
                result.Text.ShouldContain($"no {i}");
            }),
            CheckAsync(cluster, functions.Say, Outputs, static (i, result) =>
            {
                result.ShouldHaveValue($"{i}");
                (result.Output.Length, result.Error.Length).ShouldBe(($"line {i} ".Length + 1_001, 501));
            }),
            CheckAsync(cluster, functions.Large, LargeResults, static (i, result) => result.ShouldHaveValue($"\"{new string((char)('a' + i), LargeBytes)}\""), $", {LargeBytes}"),
            CheckAsync(cluster, functions.Command, Commands, static (i, result) => result.ShouldHaveValue($$"""{"returncode":{{i % 2}},"stdout":"{{i}}","stderr":""}""")),
            CheckAsync(cluster, functions.Method, Methods, static (i, result) => result.ShouldHaveValue($"{(i * i) + 7}")));
    }

    private static async Task CheckAsync(LocalCluster cluster, string function, int count, Action<int, TaskResult> check, string more = "")
    {
        var group = SharedCluster.NewGroup();
        var first = new Dictionary<BatchId, int>();
        for (var from = 0; from < count; from += 1_000)
        {
            var batch = ServiceApi.NewBatch();
            first[batch] = from;
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, Enumerable.Range(from, Math.Min(1_000, count - from)).Select(i => $"[{i}{more}]"), null, batch));
        }

        foreach (var (task, result) in await cluster.Api.WaitAsync(group, count))
            check(first[task.Batch] + (int)task.Index, result);
    }

    private static long Median(List<(TimeSpan At, Dictionary<string, long> Bytes)> sizes, string name) =>
        sizes.Select(one => one.Bytes[name]).Order().ElementAt(sizes.Count / 2);

    private static Dictionary<string, long> Sizes(LocalCluster cluster) => new(StringComparer.Ordinal)
    {
        ["service"] = ProcessTable.PrivateBytes(cluster.Service.Identity.Pid),
        ["endpoint"] = ProcessTable.PrivateBytes(cluster.Endpoint.Identity.Pid),
        ["manager"] = cluster.Endpoint.Managers().Sum(static entry => ProcessTable.PrivateBytes(entry.Pid)),
        ["zygotes and workers"] = cluster.Endpoint.Managers().SelectMany(static entry => ProcessTable.Tree(entry.Pid).Skip(1)).Sum(static entry => Size(entry.Pid)),
    };

    // One that ends at this moment has none.
    private static long Size(int pid)
    {
        try
        {
            return ProcessTable.PrivateBytes(pid);
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException)
        {
            return 0;
        }
    }

    private sealed record Functions(string Square, string Fail, string Say, string Large, string Command, string Method);
}
