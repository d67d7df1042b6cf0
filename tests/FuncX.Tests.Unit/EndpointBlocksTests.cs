using System.Diagnostics;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Providers;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Blocks that are requested, run, lose nodes and end, as a <see cref="BlockSupervisor"/> reports them.</summary>
public sealed class EndpointBlocksTests : EndpointBlocksHarness
{
    [Fact]
    public async Task A_requested_block_runs_and_is_reported_and_its_files_are_private()
    {
        var supervisor = await StartBlockAsync();
        var directory = Path.Combine(Configuration.StateDirectory, "blocks", "b1");
        File.GetUnixFileMode(directory).ShouldBe(FileModes.PrivateDirectory);
        File.GetUnixFileMode(Path.Combine(directory, "rendezvous.json")).ShouldBe(FileModes.PrivateFile);
        File.GetUnixFileMode(Path.Combine(directory, "block.json")).ShouldBe(FileModes.PrivateFile);
        var rendezvous = ReadRendezvous("b1");
        rendezvous.Addresses.ShouldBe(["127.0.0.1:1111"]);
        rendezvous.Fingerprint.ShouldBe(Certificate.Fingerprint);
        supervisor.TryAuthenticate("b1", rendezvous.Secret).ShouldBeTrue();
        supervisor.TryAuthenticate("b1", rendezvous.Secret[..^1]).ShouldBeFalse();
        supervisor.TryAuthenticate("b2", rendezvous.Secret).ShouldBeFalse();
        supervisor.Current().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
    }

    [Fact]
    public async Task An_ended_block_is_reported_once_and_its_secret_is_worth_nothing()
    {
        var supervisor = await StartBlockAsync();
        var secret = ReadRendezvous("b1").Secret;
        supervisor.End("b1");
        supervisor.End("b1");
        supervisor.End("unknown");
        await EventuallyAsync(() => Reports.Count(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal)) == 1);
        supervisor.TryAuthenticate("b1", secret).ShouldBeFalse();
        supervisor.Current().ShouldBeEmpty();
        File.Exists(Path.Combine(Configuration.StateDirectory, "blocks", "b1", "rendezvous.json")).ShouldBeFalse();
        File.ReadAllText(Path.Combine(Configuration.StateDirectory, "blocks", "b1", "block.json")).ShouldNotContain(secret);
    }

    /// <summary>A controller that stood still while it was asked is not asked again for nine times as long: a stop would take all of its patience for jobs that are gone.</summary>
    [Fact]
    public async Task A_stop_asks_a_scheduler_that_was_slow_about_blocks_that_are_over()
    {
        var time = new FakeTimeProvider();
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromMinutes(1), CancelFailures = 1, Sparing = true };
        var supervisor = await StartBlockAsync(provider: provider, time: time);
        supervisor.End("b1");
        await EventuallyAsync(() => provider.Cancels == 1);
        provider.End("b1", BlockState.Cancelled);
        // An order that was given a moment ago would have it ask sooner anyway.
        time.Advance(TimeSpan.FromSeconds(15));

        var ended = supervisor.EndAllAsync(TimeSpan.FromSeconds(30));
        for (var waited = TimeSpan.Zero; waited < TimeSpan.FromSeconds(10) && !ended.IsCompleted; waited += TimeSpan.FromMilliseconds(100))
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        ended.IsCompleted.ShouldBeTrue();
        supervisor.Current().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_block_whose_manager_fails_is_reported_with_the_reason()
    {
        var supervisor = await StartAsync("echo no python here; exit 7", "127.0.0.1:1111");
        supervisor.Request("b1");
        await EventuallyAsync(() => Reports.Any(report => report.StartsWith("ended b1 failed", StringComparison.Ordinal)));
        Reports.ShouldContain(report => report.Contains("status 7", StringComparison.Ordinal) && report.Contains("no python here", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lost_node_is_started_again_and_the_new_job_is_what_a_later_process_finds()
    {
        Configuration = Configuration with { Provider = Configuration.Provider with { Nodes = 2 } };
        var first = await StartBlockAsync("while :; do sleep 0.05; done");
        var before = Pids("b1");
        Process.GetProcessById(before[0]).Kill();
        await EventuallyAsync(() => Pids("b1")[0] != before[0]);
        Pids("b1")[1].ShouldBe(before[1]);
        await EventuallyAsync(() => first.Current().ShouldHaveSingleItem().Reason.Length == 0);

        await first.StopAsync(CancellationToken.None);
        var second = await StartAsync("while :; do sleep 0.05; done", "127.0.0.1:2222");
        await second.EndAllAsync(TimeSpan.FromSeconds(15));
        second.Current().ShouldBeEmpty();
        Pids("b1").ShouldAllBe(pid => !File.Exists($"/proc/{pid}/cmdline") || File.ReadAllText($"/proc/{pid}/cmdline").Length == 0);
    }

    [Fact]
    public async Task A_node_whose_manager_dies_at_once_is_not_started_without_pause()
    {
        Configuration = Configuration with { Provider = Configuration.Provider with { Nodes = 2 } };
        var supervisor = await StartAsync("case \"$*\" in *node-1*) exit 3;; esac; while :; do sleep 0.05; done", "127.0.0.1:1111");
        supervisor.Request("b1");
        var log = Path.Combine(Configuration.StateDirectory, "blocks", "b1", "node-1.log");
        var begun = Stopwatch.StartNew();
        await EventuallyAsync(() => File.Exists(log) && File.ReadAllText(log).Split("arguments:").Length > 3);
        // Its start, a repair at once, and one a second later.
        begun.Elapsed.ShouldBeGreaterThan(TimeSpan.FromSeconds(1));
        supervisor.Current().ShouldHaveSingleItem().Reason.ShouldContain("1 of 2 managers left");
    }

    [Fact]
    public async Task A_block_whose_files_cannot_be_written_runs_on_says_so_and_is_written_down_later()
    {
        Configuration = Configuration with { Provider = Configuration.Provider with { Nodes = 2 } };
        var supervisor = await StartBlockAsync("while :; do sleep 0.05; done");
        var file = Path.Combine(Configuration.StateDirectory, "blocks", "b1", "block.json");
        // A directory in its way refuses the file as a full disk would.
        var inTheWay = Directory.CreateDirectory($"{file}.{Environment.ProcessId}.tmp");
        var before = Pids("b1");
        using (var manager = Process.GetProcessById(before[0]))
            manager.Kill();
        await EventuallyAsync(() => supervisor.Current().Single().Reason.Contains("its files cannot be written", StringComparison.Ordinal));
        supervisor.ExecuteTask!.IsCompleted.ShouldBeFalse();
        Pids("b1").ShouldBe(before);

        inTheWay.Delete();
        await EventuallyAsync(() => Pids("b1")[0] != before[0]);
        await EventuallyAsync(() => supervisor.Current().Single().Reason.Length == 0);
        Pids("b1")[1].ShouldBe(before[1]);
    }

    [Fact]
    public async Task A_block_that_could_not_be_ended_is_ended_later_and_not_asked_about_all_the_time()
    {
        var time = new FakeTimeProvider();
        var begun = time.GetUtcNow();
        var provider = new PlayedProvider { CancelFailures = 1, PollInterval = TimeSpan.FromSeconds(5) };
        var supervisor = await StartBlockAsync("exit 0", provider: provider, time: time);
        supervisor.End("b1");
        await EventuallyAsync(() => provider.Cancels == 1);
        // The provider is asked often for a moment, and then as often as it likes.
        var asked = 0;
        await EventuallyAsync(() =>
        {
            asked = provider.Queries;
            time.Advance(TimeSpan.FromSeconds(1));
            return time.GetUtcNow() - begun > TimeSpan.FromSeconds(12);
        });
        for (var i = 0; i < 40; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(5);
        }

        (provider.Queries - asked).ShouldBeInRange(0, 2);
        provider.Cancels.ShouldBe(1);
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return provider.Cancels == 2;
        });
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return Reports.Any(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal));
        });
    }

    [Fact]
    public async Task An_end_that_found_no_room_among_the_orders_is_not_forgotten()
    {
        var supervisor = await StartAsync("exec sleep 600", "127.0.0.1:1111", listening: false);
        supervisor.Request("b1");
        for (var i = 0; i < 16_384; i++)
            supervisor.End("unknown");
        supervisor.End("b1");
        supervisor.Listening(["127.0.0.1:1111"]);
        await EventuallyAsync(() => Reports.Any(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Directories_of_ended_blocks_are_kept_for_their_logs_up_to_a_bound()
    {
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111");
        for (var i = 0; i < BlockDirectories.KeptAfterEnd + 3; i++)
            supervisor.Request($"b{i}");
        await EventuallyAsync(() => Reports.Count(report => report.StartsWith("ended", StringComparison.Ordinal)) == BlockDirectories.KeptAfterEnd + 3);
        Directory.GetDirectories(Path.Combine(Configuration.StateDirectory, "blocks")).Length.ShouldBe(BlockDirectories.KeptAfterEnd);
    }
}
