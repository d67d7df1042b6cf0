using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Durability;

/// <summary>The same work again and again: every value right, and no process that grows with what it has done. Five minutes with <c>--full</c>.</summary>
public sealed class SoakTests
{
    private const int TasksOfRound = 20_000;

    [Fact]
    public async Task Work_that_goes_on_for_long_leaves_every_process_as_large_as_it_was() => await Scenario.RunAsync(async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var fail = await cluster.Api.RegisterAsync(Python.Fail, "fail");
        var length = Scenario.Full ? TimeSpan.FromMinutes(5) : TimeSpan.FromSeconds(12);
        var clock = Stopwatch.StartNew();
        var rounds = 0;
        var early = new Dictionary<string, long>(StringComparer.Ordinal);
        do
        {
            await RoundAsync(cluster, square, fail);
            rounds++;
            if (early.Count == 0 && clock.Elapsed > length / 3)
                early = Sizes(cluster);
        }
        while (clock.Elapsed < length);

        var late = Sizes(cluster);
        Scenario.Note(
            "soak",
            $"{rounds} rounds of {TasksOfRound:N0} tasks in {clock.Elapsed.TotalSeconds:F0} s; private memory in MB after a third and at the end: "
            + string.Join(", ", late.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key} {early[entry.Key] >> 20} -> {entry.Value >> 20}"))));
        // Room for what fills up to its bound and stays there: the service's cache of recent commits (64 MiB), pooled buffers.
        foreach (var (name, bytes) in late)
            bytes.ShouldBeLessThan((long)(early[name] * 1.3) + (128L << 20), $"{name} grew from {early[name]} to {bytes} bytes in {rounds} rounds");
    });

    private static async Task RoundAsync(LocalCluster cluster, string square, string fail)
    {
        var group = SharedCluster.NewGroup();
        var batches = await cluster.SubmitRangeAsync(square, group, TasksOfRound);
        var results = await cluster.Api.WaitAsync(group, TasksOfRound);
        for (var i = 0; i < TasksOfRound; i++)
            results[new TaskId(batches[i / 1_000], (uint)(i % 1_000))].Text.ShouldBe($"{((long)i * i) + 7}");

        var failing = SharedCluster.NewGroup();
        await cluster.SubmitRangeAsync(fail, failing, 100);
        (await cluster.Api.WaitAsync(failing, 100)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Exception);
    }

    private static Dictionary<string, long> Sizes(LocalCluster cluster) => new(StringComparer.Ordinal)
    {
        ["service"] = ProcessTable.PrivateBytes(cluster.Service.Identity.Pid),
        ["endpoint"] = ProcessTable.PrivateBytes(cluster.Endpoint.Identity.Pid),
        ["manager"] = cluster.Endpoint.Managers().Sum(static entry => ProcessTable.PrivateBytes(entry.Pid)),
        ["workers"] = cluster.Endpoint.Interpreters().Workers.Sum(static entry => ProcessTable.PrivateBytes(entry.Pid)),
    };
}
