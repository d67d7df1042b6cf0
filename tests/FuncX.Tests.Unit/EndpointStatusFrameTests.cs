using FuncX.Endpoint.Commands;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What <c>funcx-endpoint status --watch</c> shows: each figure changes with its cause, and nothing else does.</summary>
public sealed class EndpointStatusFrameTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly EndpointStatusReport s_report = new()
    {
        Name = "lab",
        EndpointId = "f00d",
        Service = "https://one",
        State = "running",
        Pid = 111,
        Host = "login1",
        Version = "1.0.0",
        Started = s_now.AddMinutes(-62),
        Addresses = ["10.0.0.1:1"],
        Blocks = [new BlockReport("local-1", "running", 1, s_now.AddMinutes(-60), "")],
    };

    private static readonly EndpointSnapshot s_before = new() { Online = true, Epoch = 1, Workers = 4, Managers = 1, BlocksRunning = 1, Completed = 100, PerManager = [new ManagerCounts("m1", "n1", 7, 0, new ManagerHops { ResultsFromWorkers = 100 })] };

    public static TheoryData<string, string, string, Func<EndpointSnapshot, EndpointSnapshot>> Figures => new()
    {
        { "offline, epoch 1", "offline", "service", static now => now with { Online = false } },
        { "online, epoch 2", "", "service", static now => now with { Epoch = 2 } },
        { "1,234 queued, 0 at managers, 100 done, 0.0/s", "queued 1234", "tasks", static now => now with { Queued = 1_234 } },
        { "0 queued, 1,234 at managers, 100 done, 0.0/s", "at_managers 1234", "tasks", static now => now with { Running = 1_234 } },
        { "0 queued, 0 at managers, 150 done, 25.0/s", "done 150 done_per_s 25.0", "tasks", static now => now with { Completed = 150 } },
        { "0 queued, 0 at managers, 50 done, 0.0/s", "done 50 done_per_s 0.0", "tasks", static now => now with { Completed = 50 } },
        { "3 held (0 B), 0 B spooled, 0 committed, 0.0/s", "held 3", "results", static now => now with { ResultsHeld = 3 } },
        { "0 held (1.5 KiB), 0 B spooled, 0 committed, 0.0/s", "", "results", static now => now with { ResultsHeldBytes = 1_536 } },
        { "0 held (0 B), 3.0 MiB spooled, 0 committed, 0.0/s", "spool_bytes 3145728", "results", static now => now with { SpoolBytes = 3 << 20 } },
        { "0 held (0 B), 0 B spooled, 8 committed, 4.0/s", "", "results", static now => now with { Hops = new HopCounts { ResultsCommitted = 8 } } },
        { "6 failed, 3.0/s, 0 attempts lost", "failed 6", "errors", static now => now with { Hops = new HopCounts { ResultsFailed = 6 } } },
        { "0 failed, 0.0/s, 2 attempts lost", "attempts_lost 2", "errors", static now => now with { Hops = new HopCounts { AttemptsLost = 2 } } },
        { "3 of 4 busy, 1 managers, prefetch 0", "busy 3", "workers", static now => now with { WorkersBusy = 3 } },
        { "0 of 8 busy, 1 managers, prefetch 0", "workers 8", "workers", static now => now with { Workers = 8 } },
        { "0 of 4 busy, 2 managers, prefetch 0", "managers 2", "workers", static now => now with { Managers = 2 } },
        { "0 of 4 busy, 1 managers, prefetch 9", "", "workers", static now => now with { Prefetch = 9 } },
        { "2 running, 0 requested", "blocks 2", "blocks", static now => now with { BlocksRunning = 2 } },
        { "1 running, 5 requested", "requested 5", "blocks", static now => now with { BlocksRequested = 5 } },
        { "1 running, 0 requested, 1 of those that run draining", "draining 1", "blocks", static now => now with { BlocksDraining = 1 } },
        { "1 running, 0 requested; 3 ordered by hand", "", "blocks", static now => now with { Scale = "3" } },
        { "m1 4 100 0.0", "", "m1", static now => now with { PerManager = [new ManagerCounts("m1", "n1", 7, 4, new ManagerHops { ResultsFromWorkers = 100 })] } },
        { "m1 0 120 10.0", "", "m1", static now => now with { PerManager = [new ManagerCounts("m1", "n1", 7, 0, new ManagerHops { ResultsFromWorkers = 120 })] } },
    };

    [Fact]
    public void Tasks_that_wait_for_time_have_a_line_as_soon_as_there_are_some()
    {
        Screen(s_before).ShouldNotContain(static line => line.StartsWith("walltime"));
        Screen(s_before with { WaitingForTime = 1_234 }).ShouldContain("walltime 1,234 tasks are longer than what is left of the blocks that run");
    }

    [Fact]
    public void Worlds_have_a_line_as_soon_as_there_are_some()
    {
        Screen(s_before).ShouldNotContain(static line => line.StartsWith("worlds"));
        Line(s_before with { WorldsRunning = 3 }).ShouldBe("worlds 3 running, 0 waiting");
        Line(s_before with { WorldsWaiting = 1_234 }).ShouldBe("worlds 0 running, 1,234 waiting");
        Line(s_before with { NodesGivenUp = "n3, n7" }).ShouldBe("worlds 0 running, 0 waiting; nodes given up: n3, n7");

        static string Line(EndpointSnapshot now) => Screen(now).Single(static line => line.StartsWith("worlds"));
    }

    [Theory]
    [MemberData(nameof(Figures))]
    public void A_figure_changes_its_own_line(string said, string written, string line, Func<EndpointSnapshot, EndpointSnapshot> cause)
    {
        var (before, after) = (Screen(s_before), Screen(cause(s_before)));
        before.Count.ShouldBe(after.Count);
        var changed = before.Zip(after).Where(static pair => pair.First != pair.Second).Select(static pair => pair.Second).ShouldHaveSingleItem();
        changed.ShouldStartWith(line);
        changed.ShouldEndWith(said);
        var words = Frame(cause(s_before)).Line();
        words.ShouldContain(written);
        if (written.Length > 0)
            Frame(s_before).Line().ShouldNotContain(written + " ");
    }

    [Fact]
    public void A_note_blocks_and_many_managers_are_shown_as_they_are()
    {
        Screen(s_before with { Note = "no link" }).ShouldContain("note no link");
        Frame(s_before with { Note = "no link" }).Line().ShouldEndWith(" no link");
        Screen(s_before).ShouldContain("local-1 running 1 nodes 2026-01-02 02:04:05Z");
        Screen(s_before)[0].ShouldBe("lab (f00d) running, pid 111 on login1, up 01:02:00");
        var many = Enumerable.Range(0, 20).Select(static number => new ManagerCounts($"m{number:D2}", "n1", number, number, new ManagerHops())).ToList();
        var screen = Screen(s_before with { PerManager = many });
        screen[^1].ShouldBe("and 8 more");
        screen[^2].ShouldBe("m08 8 0 0.0");
        screen[^13].ShouldBe("m19 19 0 0.0", "the busiest first");
    }

    [Fact]
    public void Staging_stands_behind_its_block()
    {
        var staging = new BlockStaging(4, 1, 8, 3, 6 << 20, 1_536, "");
        Line(null).ShouldBe("local-1 running 1 nodes 2026-01-02 02:04:05Z");
        Line(staging).ShouldEndWith("Z staged 1 of 4 managers, 3 of 8 files, 1.5 KiB of 6.0 MiB");
        Line(staging with { ManagersDone = 2 }).ShouldContain("staged 2 of 4 managers");
        Line(staging with { FilesDone = 5 }).ShouldContain("5 of 8 files");
        Line(staging with { BytesDone = 3 << 20 }).ShouldContain("3.0 MiB of 6.0 MiB");
        Line(staging with { Problem = "n1: no room" }).ShouldEndWith("6.0 MiB: n1: no room");

        static string Line(BlockStaging? staging)
        {
            var report = s_report with { Blocks = [s_report.Blocks[0] with { Staging = staging }] };
            var screen = new StatusFrame(report, s_before, s_before, TimeSpan.FromSeconds(2), s_now).Screen();
            return string.Join(' ', screen.Single(static line => line.TrimStart().StartsWith("local-1")).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public void The_first_look_has_no_rates() =>
        new StatusFrame(s_report, s_before, null, TimeSpan.Zero, s_now).Line().ShouldBe("2026-01-02T03:04:05.000Z online queued 0 at_managers 0 done 100 done_per_s 0.0 failed 0 attempts_lost 0 held 0 spool_bytes 0 busy 0 workers 4 managers 1 blocks 1 requested 0 draining 0 waiting_for_time 0");

    private static StatusFrame Frame(EndpointSnapshot now) => new(s_report, now, s_before, TimeSpan.FromSeconds(2), s_now);

    private static List<string> Screen(EndpointSnapshot now) => [.. Frame(now).Screen().Select(static line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
}
