using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>A busy machine: any process stands still for a moment, anywhere in its code, while short tasks flow. Nobody is lost over it, and nothing waits for ever.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class StandstillTests
{
    private const int Round = 20_000;

    [Fact]
    public async Task Processes_that_stand_still_for_moments_lose_nothing_and_nobody()
    {
        var seed = Scenario.Seed;
        Scenario.NoteAtStart($"standstill-{seed}", $"seed {seed} (FUNCX_TESTS_SEED={seed} repeats it)\n");
        await Scenario.RunAsync(cluster => RunAsync(cluster, new Random(seed), TimeSpan.FromSeconds(Scenario.Full ? 240 : 15)));
    }

    private static async Task RunAsync(LocalCluster cluster, Random random, TimeSpan length)
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        var warm = await cluster.SubmitRangeAsync(function, "warm", Round);
        (await cluster.Api.WaitAsync("warm", Round)).ShouldBeSquares(warm, Round);
        var processes = Processes(cluster);

        using var over = new CancellationTokenSource();
        var standing = StandStillAsync(processes, random, over.Token);
        var (rounds, clock) = (0, Stopwatch.StartNew());
        try
        {
            for (; clock.Elapsed < length; rounds++)
            {
                var group = $"round-{rounds}";
                var batches = await cluster.SubmitRangeAsync(function, group, Round, perBatch: 50 * (1 + (rounds % 20)));
                (await cluster.Api.WaitAsync(group, Round, TimeSpan.FromSeconds(60))).ShouldBeSquares(batches, Round, 50 * (1 + (rounds % 20)));
            }
        }
        finally
        {
            await over.CancelAsync();
            var standstills = await standing;
            Scenario.Note($"standstill-{Scenario.Seed}", string.Create(CultureInfo.InvariantCulture, $"seed {Scenario.Seed}: {rounds} rounds of {Round} tasks, {standstills} standstills in {clock.Elapsed.TotalSeconds:F0} s\n"));
        }

        (await standing).ShouldBeGreaterThan(50);
        Processes(cluster).ShouldBe(processes, ignoreOrder: true, "none was given up or replaced");
    }

    private static List<ProcessIdentity> Processes(LocalCluster cluster) =>
    [
        cluster.Service.Identity,
        cluster.Endpoint.Identity,
        .. cluster.Endpoint.Managers().Select(static entry => entry.Identity),
        .. cluster.Endpoint.Interpreters().Workers.Select(static entry => entry.Identity),
    ];

    // Half a millisecond to sixty: from one turn of the scheduler to several times what a manager waits for a worker before it takes tasks back.
    private static async Task<int> StandStillAsync(List<ProcessIdentity> processes, Random random, CancellationToken over)
    {
        var count = 0;
        while (!over.IsCancellationRequested)
        {
            var process = processes[random.Next(processes.Count)];
            process.Stop().ShouldBeTrue();
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Pow(120, random.NextDouble()) / 2), CancellationToken.None);
            }
            finally
            {
                process.Continue();
            }

            count++;
            await Task.Delay(random.Next(1, 30), CancellationToken.None);
        }

        return count;
    }
}
