using System.Globalization;
using System.Text;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>
/// SIGKILL in turn to every kind of process at seeded random moments, while tasks flow. A kill counts when tasks were in flight at the hop beyond the victim
/// itself, by the counters of all hops, which are read just before it and printed.
/// </summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class KillScheduleTests
{
    private static readonly string[] Kinds = ["client", "service", "endpoint", "manager", "zygote", "worker"];

    [Fact]
    public async Task Kills_of_any_process_at_any_moment_lose_and_double_nothing()
    {
        var kills = Scenario.Full ? 200 : 8;
        var seed = Scenario.Seed;
        var log = new StringBuilder().Append(CultureInfo.InvariantCulture, $"seed {seed} (FUNCX_TESTS_SEED={seed} repeats it), {kills} kills\n");
        // Now already: a schedule that hangs or takes the test process along can be repeated too.
        Scenario.NoteAtStart($"kill-schedule-{seed}", log.ToString());
        try
        {
            await Scenario.RunAsync(new EndpointOptions { Blocks = 2 }, cluster => RunAsync(cluster, kills, new Random(seed), log));
        }
        finally
        {
            Scenario.Note($"kill-schedule-{seed}", log.ToString());
        }
    }

    private static async Task RunAsync(LocalCluster cluster, int kills, Random random, StringBuilder log)
    {
        await cluster.WaitOnlineAsync(managers: 2);
        // Tasks of up to 40 ms: a worker is in the middle of one most of the time, as it must be for its kill to count.
        await using var work = await Workload.StartAsync(cluster, perBatch: 50, window: 1_000, milliseconds: 40, maxAttempts: 1_000);
        await work.FlowsAsync();
        var tally = new KillTally();
        var losses = new PossibleLosses();
        var schedule = Schedule(kills, random).ToList();
        foreach (var (number, kind) in schedule)
        {
            // Mostly when work flows again; one in four right on top of the recovery from the last kill.
            if (random.Next(4) != 0)
                await work.FlowsAsync();
            await Task.Delay(random.Next(20, 250));
            var victim = Victim(cluster, work, kind, random);
            if (victim is null)
            {
                // All of them were killed just before. Outcomes may still come in without them: the process itself is waited for, and then its work.
                await Eventually.TrueAsync(() => (victim = Victim(cluster, work, kind, random)) is not null, $"a {kind} runs again");
                await work.FlowsAsync();
                victim = Victim(cluster, work, kind, random) ?? victim;
            }

            var before = await HopCounters.ReadAsync(cluster, work);
            // Of a kind that is killed twice both moments may be idle ones: its last kill waits for one that counts, when none has.
            if (!tally.Counts(kind) && schedule.Skip(number).All(later => later.Kind != kind))
            {
                await Eventually.TrueAsync(
                    async () =>
                    {
                        victim = Victim(cluster, work, kind, random) ?? victim;
                        before = await HopCounters.ReadAsync(cluster, work);
                        return before.Beyond(kind, victim!.Value.Pid) > 0;
                    },
                    $"a {kind} has tasks in flight beyond it");
            }

            victim!.Value.Kill();
            var pid = victim.Value.Pid;
            work.NoteDeath(kind, pid, losses.OfKill(kind, pid, before));
            var counts = tally.Add(kind, pid, before);
            log.Append(CultureInfo.InvariantCulture, $"#{number,-3} {kind,-8} {pid,-6} beyond it {before.Beyond(kind, pid)}{(counts ? "" : " (does not count)")}; {before}\n");
            await RestartAsync(cluster, work, kind);
        }

        await work.FlowsAsync();
        var report = await work.FinishAsync(TimeSpan.FromMinutes(5));
        log.Append(CultureInfo.InvariantCulture, $"checker: {report}\n");
        tally.Failures(Kinds).ShouldBeEmpty();
    }

    /// <summary>As many of each kind as of any other, in random order.</summary>
    private static IEnumerable<(int Number, string Kind)> Schedule(int kills, Random random)
    {
        var kinds = Enumerable.Range(0, kills).Select(static i => Kinds[i % Kinds.Length]).ToArray();
        random.Shuffle(kinds);
        return kinds.Select(static (kind, i) => (i + 1, kind));
    }

    private static ProcessIdentity? Victim(LocalCluster cluster, Workload work, string kind, Random random)
    {
        return kind switch
        {
            "client" => work.Submitter.Identity,
            "service" => cluster.Service.Identity,
            "endpoint" => cluster.Endpoint.Identity,
            "manager" => Pick(cluster.Endpoint.Managers()),
            "zygote" => Pick(cluster.Endpoint.Interpreters().Zygotes),
            _ => Pick(cluster.Endpoint.Interpreters().Workers),
        };

        ProcessIdentity? Pick(IReadOnlyList<ProcessEntry> entries) => entries.Count == 0 ? null : entries[random.Next(entries.Count)].Identity;
    }

    private static async Task RestartAsync(LocalCluster cluster, Workload work, string kind)
    {
        switch (kind)
        {
            case "client":
                await work.KillSubmitterAsync();
                await work.StartSubmitterAsync();
                break;
            case "service":
                await cluster.Service.WaitForExitAsync();
                await cluster.Service.StartAsync();
                break;
            case "endpoint":
                await cluster.Endpoint.WaitForExitAsync();
                await cluster.Endpoint.StartAsync();
                break;
            default:
                // Managers are the endpoint's to replace, zygotes and workers the manager's.
                break;
        }
    }
}
