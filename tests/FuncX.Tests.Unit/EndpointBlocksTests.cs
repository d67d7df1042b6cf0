using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Local;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointBlocksTests : IAsyncLifetime
{
    private readonly ConfigurationScratch _scratch = new();
    private readonly ConcurrentQueue<string> _reports = new();
    private readonly List<BlockSupervisor> _supervisors = [];
    private EndpointConfiguration _configuration = null!;
    private EndpointCertificate _certificate = null!;
    private FakeTimeProvider? _time;

    [Fact]
    public async Task A_requested_block_runs_and_is_reported_and_its_files_are_private()
    {
        var supervisor = await StartAsync("exec sleep 600", "127.0.0.1:1111");
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        var directory = Path.Combine(_configuration.StateDirectory, "blocks", "b1");
        File.GetUnixFileMode(directory).ShouldBe(FileModes.PrivateDirectory);
        File.GetUnixFileMode(Path.Combine(directory, "rendezvous.json")).ShouldBe(FileModes.PrivateFile);
        File.GetUnixFileMode(Path.Combine(directory, "block.json")).ShouldBe(FileModes.PrivateFile);
        var rendezvous = ReadRendezvous("b1");
        rendezvous.Addresses.ShouldBe(["127.0.0.1:1111"]);
        rendezvous.Fingerprint.ShouldBe(_certificate.Fingerprint);
        supervisor.TryAuthenticate("b1", rendezvous.Secret).ShouldBeTrue();
        supervisor.TryAuthenticate("b1", rendezvous.Secret[..^1]).ShouldBeFalse();
        supervisor.TryAuthenticate("b2", rendezvous.Secret).ShouldBeFalse();
        supervisor.Current().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
    }

    [Fact]
    public async Task A_silent_manager_has_the_provider_asked_which_knows_that_the_block_stands_still()
    {
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromHours(1) };
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111", provider: provider);
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        provider.Suspended = true;
        supervisor.OnManagerSilent("b1");
        await EventuallyAsync(() => _reports.Contains("suspended b1"));
        provider.Hurries.ShouldBe(1);
        supervisor.OnManagerSilent("b1");
        await EventuallyAsync(() => provider.Hurries == 2);
        provider.Suspended = false;
        supervisor.OnManagerSilent("b1");
        await EventuallyAsync(() => _reports.Contains("goes on b1"));
        _reports.ShouldBe(["running b1", "suspended b1", "goes on b1"]);
    }

    [Fact]
    public async Task Why_a_block_waits_is_reported_when_it_changes_and_that_it_does_not_any_more()
    {
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromMilliseconds(10), Pending = "Priority" };
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111", provider: provider);
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("waits b1: Priority"));
        supervisor.Current().ShouldHaveSingleItem().Reason.ShouldBe("Priority");
        await AnswersAsync(provider, 2);
        provider.Pending = "Can Never Run";
        await EventuallyAsync(() => _reports.Contains("waits b1: Can Never Run"));
        provider.Pending = "";
        await EventuallyAsync(() => _reports.Contains("waits b1: "));
        // It was put back into the queue.
        provider.Pending = "it ran once before";
        await EventuallyAsync(() => _reports.Contains("waits b1: it ran once before"));
        _reports.ShouldBe(["waits b1: Priority", "waits b1: Can Never Run", "running b1", "waits b1: ", "waits b1: it ran once before"]);
    }

    [Fact]
    public async Task A_provider_that_does_not_answer_is_said_with_its_blocks_until_it_does_and_is_written_nowhere()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromSeconds(5) };
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111", provider: provider, time: time);
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        provider.Failure = new BlockProviderException("connection refused");
        await PassAsync(() => supervisor.Current().Single().Reason.Length > 0);
        var reason = supervisor.Current().Single().Reason;
        reason.ShouldMatch("^played has not answered since 03:0[0-9]:[0-9]{2}Z: connection refused$");
        provider.Failure = new BlockProviderException("connection timed out");
        await PassAsync(() => supervisor.Current().Single().Reason == reason.Replace("refused", "timed out", StringComparison.Ordinal));
        supervisor.Current().Single().State.ShouldBe(BlockState.Running);
        PrivateFile.ReadJson<BlockFile>(Path.Combine(_configuration.StateDirectory, "blocks", "b1", "block.json"))!.Reason.ShouldBeEmpty();

        // Asked before its time it may say what it knew before: it is not asked, whatever else there is to do.
        var asked = provider.Queries;
        provider.Failure = null;
        for (var wake = 1; wake <= 3; wake++)
        {
            supervisor.OnManagerSilent("b1");
            await EventuallyAsync(() => provider.Hurries == wake);
        }

        provider.Queries.ShouldBe(asked);
        supervisor.Current().Single().Reason.ShouldNotBeEmpty();

        await PassAsync(() => supervisor.Current().Single().Reason.Length == 0);
        _reports.ShouldBe(["running b1"]);

        // A block that waits does so for want of an answer, as far as anybody knows.
        provider.Pending = "Priority";
        await PassAsync(() => _reports.Contains("waits b1: Priority"));
        provider.Failure = new BlockProviderException("connection refused");
        await PassAsync(() => _reports.Last().StartsWith("waits b1: Priority; played has not answered since 03:0", StringComparison.Ordinal));
        provider.Failure = null;
        await PassAsync(() => _reports.Last() == "waits b1: Priority");
        supervisor.End("b1");
        await PassAsync(() => _reports.Last().StartsWith("ended b1 cancelled", StringComparison.Ordinal));

        Task PassAsync(Func<bool> condition) => EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return condition();
        });
    }

    [Fact]
    public async Task An_ended_block_is_reported_once_and_its_secret_is_worth_nothing()
    {
        var supervisor = await StartAsync("exec sleep 600", "127.0.0.1:1111");
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        var secret = ReadRendezvous("b1").Secret;
        supervisor.End("b1");
        supervisor.End("b1");
        supervisor.End("unknown");
        await EventuallyAsync(() => _reports.Count(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal)) == 1);
        supervisor.TryAuthenticate("b1", secret).ShouldBeFalse();
        supervisor.Current().ShouldBeEmpty();
        File.Exists(Path.Combine(_configuration.StateDirectory, "blocks", "b1", "rendezvous.json")).ShouldBeFalse();
        File.ReadAllText(Path.Combine(_configuration.StateDirectory, "blocks", "b1", "block.json")).ShouldNotContain(secret);
    }

    [Fact]
    public async Task A_block_whose_manager_fails_is_reported_with_the_reason()
    {
        var supervisor = await StartAsync("echo no python here; exit 7", "127.0.0.1:1111");
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Any(report => report.StartsWith("ended b1 failed", StringComparison.Ordinal)));
        _reports.ShouldContain(report => report.Contains("status 7", StringComparison.Ordinal) && report.Contains("no python here", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lost_node_is_started_again_and_the_new_job_is_what_a_later_process_finds()
    {
        _configuration = _configuration with { Provider = _configuration.Provider with { Nodes = 2 } };
        var first = await StartAsync("while :; do sleep 0.05; done", "127.0.0.1:1111");
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
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
        _configuration = _configuration with { Provider = _configuration.Provider with { Nodes = 2 } };
        var supervisor = await StartAsync("case \"$*\" in *node-1*) exit 3;; esac; while :; do sleep 0.05; done", "127.0.0.1:1111");
        supervisor.Request("b1");
        var log = Path.Combine(_configuration.StateDirectory, "blocks", "b1", "node-1.log");
        var begun = Stopwatch.StartNew();
        await EventuallyAsync(() => File.Exists(log) && File.ReadAllText(log).Split("arguments:").Length > 3);
        // Its start, a repair at once, and one a second later.
        begun.Elapsed.ShouldBeGreaterThan(TimeSpan.FromSeconds(1));
        supervisor.Current().ShouldHaveSingleItem().Reason.ShouldContain("1 of 2 managers left");
    }

    [Fact]
    public async Task A_restarted_endpoint_finds_its_blocks_and_tells_them_its_new_address()
    {
        var first = await StartAsync("exec sleep 600", "127.0.0.1:1111");
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        var secret = ReadRendezvous("b1").Secret;
        // As after kill -9: nothing is ended and nothing is written.
        await first.StopAsync(CancellationToken.None);
        var second = await StartAsync("exec sleep 600", "127.0.0.1:2222");
        second.Surviving().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
        second.TryAuthenticate("b1", secret).ShouldBeTrue();
        ReadRendezvous("b1").Addresses.ShouldBe(["127.0.0.1:2222"]);
        await second.EndAllAsync(TimeSpan.FromSeconds(15));
        second.Current().ShouldBeEmpty();
        // The report follows the moment the block leaves the list.
        await EventuallyAsync(() => _reports.Any(report => report.StartsWith("ended b1", StringComparison.Ordinal)));
        _reports.Count(report => report.StartsWith("ended b1", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_block_that_runs_another_services_tasks_is_left_alone_and_its_own_endpoint_gets_it_back()
    {
        var first = await StartAsync("exec sleep 600", "127.0.0.1:1111");
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        var secret = ReadRendezvous("b1").Secret;
        await first.StopAsync(CancellationToken.None);

        var other = await StartAsync("exec sleep 600", "127.0.0.1:2222", "https://elsewhere.org");
        other.Surviving().ShouldBeEmpty();
        other.Current().ShouldBeEmpty();
        other.TryAuthenticate("b1", secret).ShouldBeFalse();
        ReadRendezvous("b1").Addresses.ShouldBe(["127.0.0.1:1111"]);
        await other.EndAllAsync(TimeSpan.FromSeconds(15));
        await other.StopAsync(CancellationToken.None);

        var again = await StartAsync("exec sleep 600", "127.0.0.1:3333");
        again.Surviving().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
        again.TryAuthenticate("b1", secret).ShouldBeTrue();
    }

    [Fact]
    public async Task A_block_of_another_provider_is_left_alone_and_its_own_provider_gets_it_back()
    {
        var first = await StartAsync("exec sleep 600", "127.0.0.1:1111");
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        var secret = ReadRendezvous("b1").Secret;
        await first.StopAsync(CancellationToken.None);
        var file = Path.Combine(_configuration.StateDirectory, "blocks", "b1", "block.json");
        var before = await File.ReadAllBytesAsync(file);

        var log = new HeardLogger();
        var other = await StartAsync("", "127.0.0.1:2222", provider: new PlayedProvider(), logger: log);
        other.Surviving().ShouldBeEmpty();
        other.TryAuthenticate("b1", secret).ShouldBeFalse();
        ReadRendezvous("b1").Addresses.ShouldBe(["127.0.0.1:1111"]);
        // Blocks of its own that end do not push it out, however many.
        for (var i = 0; i < BlockDirectories.KeptAfterEnd + 3; i++)
        {
            other.Request($"o{i}");
            other.End($"o{i}");
        }

        await EventuallyAsync(() => _reports.Count(static report => report.StartsWith("ended o", StringComparison.Ordinal)) == BlockDirectories.KeptAfterEnd + 3);
        (await File.ReadAllBytesAsync(file)).ShouldBe(before);
        log.Said.ShouldContain(static said => said.Contains("block b1", StringComparison.Ordinal) && said.Contains("is of the local provider, and provider.type is played now", StringComparison.Ordinal));
        await other.EndAllAsync(TimeSpan.FromSeconds(15));
        await other.StopAsync(CancellationToken.None);

        var again = await StartAsync("exec sleep 600", "127.0.0.1:3333");
        again.Surviving().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
        again.TryAuthenticate("b1", secret).ShouldBeTrue();
    }

    [Fact]
    public async Task A_block_whose_files_cannot_be_written_runs_on_says_so_and_is_written_down_later()
    {
        _configuration = _configuration with { Provider = _configuration.Provider with { Nodes = 2 } };
        var supervisor = await StartAsync("while :; do sleep 0.05; done", "127.0.0.1:1111");
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        var file = Path.Combine(_configuration.StateDirectory, "blocks", "b1", "block.json");
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
    public async Task A_start_on_a_full_disk_takes_its_blocks_up_and_tells_them_its_address_once_there_is_room()
    {
        var first = await StartAsync("exec sleep 600", "127.0.0.1:1111");
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        await first.StopAsync(CancellationToken.None);
        var directory = Path.Combine(_configuration.StateDirectory, "blocks", "b1");
        var inTheWay = new[] { "block.json", "rendezvous.json" }.Select(name => Directory.CreateDirectory(Path.Combine(directory, $"{name}.{Environment.ProcessId}.tmp"))).ToArray();

        var second = await StartAsync("exec sleep 600", "127.0.0.1:2222");
        second.Surviving().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
        second.Current()[0].Reason.ShouldContain("its files cannot be written");
        ReadRendezvous("b1").Addresses.ShouldBe(["127.0.0.1:1111"]);
        foreach (var obstacle in inTheWay)
            obstacle.Delete();
        await EventuallyAsync(() => ReadRendezvous("b1").Addresses.Contains("127.0.0.1:2222"));
        await EventuallyAsync(() => second.Current()[0].Reason.Length == 0);
    }

    [Fact]
    public async Task A_block_that_could_not_be_ended_is_ended_later_and_not_asked_about_all_the_time()
    {
        var time = new FakeTimeProvider();
        var begun = time.GetUtcNow();
        var provider = new PlayedProvider { CancelFailures = 1, PollInterval = TimeSpan.FromSeconds(5) };
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111", provider: provider, time: time);
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
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
            return _reports.Any(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal));
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
        await EventuallyAsync(() => _reports.Any(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("elsewhere", "elsewhere/boot.1/123.456", true)]
    [InlineData("elsewhere", null, true)]
    [InlineData(null, "this/boot.1/123.456", false)] // Of this machine before it was booted again.
    public async Task A_block_on_another_machine_is_neither_lost_nor_touched(string? host, string? job, bool isLeft)
    {
        var directory = Directory.CreateDirectory(Path.Combine(_configuration.StateDirectory, "blocks", "b1")).FullName;
        var file = Path.Combine(directory, "block.json");
        PrivateFile.WriteJson(file, new BlockFile("b1", Identity("https://x.org").Key, "local", host ?? Environment.MachineName, 1, 0, DateTimeOffset.UtcNow, "secret", job,
            BlockState.Running, ""));
        PrivateFile.WriteJson(Path.Combine(directory, "rendezvous.json"), new RendezvousFile(["127.0.0.1:1"], "f", "secret", "b1"));
        var before = await File.ReadAllBytesAsync(file);

        var supervisor = await StartAsync("exit 0", "127.0.0.1:2222");
        supervisor.Surviving().ShouldBeEmpty();
        supervisor.TryAuthenticate("b1", "secret").ShouldBeFalse();
        (await File.ReadAllBytesAsync(file)).SequenceEqual(before).ShouldBe(isLeft);
        File.Exists(Path.Combine(directory, "rendezvous.json")).ShouldBe(isLeft);
    }

    [Fact]
    public async Task A_submission_that_was_cut_short_is_found_or_given_up()
    {
        var first = await StartAsync("while :; do sleep 0.05; done", "127.0.0.1:1111");
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        await first.StopAsync(CancellationToken.None);
        var blocks = Path.Combine(_configuration.StateDirectory, "blocks");
        var written = PrivateFile.ReadJson<BlockFile>(Path.Combine(blocks, "b1", "block.json"))!;
        PrivateFile.WriteJson(Path.Combine(blocks, "b1", "block.json"), written with { JobId = null });
        Directory.CreateDirectory(Path.Combine(blocks, "b2"));
        PrivateFile.WriteJson(Path.Combine(blocks, "b2", "block.json"), written with { Block = "b2", JobId = null });
        Directory.CreateDirectory(Path.Combine(blocks, "b3"));
        var second = await StartAsync("exit 0", "127.0.0.1:1111");
        second.Surviving().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
        Directory.Exists(Path.Combine(blocks, "b3")).ShouldBeFalse();
        await second.EndAllAsync(TimeSpan.FromSeconds(15));
        second.Current().ShouldBeEmpty();
    }

    [Fact]
    public async Task Directories_of_ended_blocks_are_kept_for_their_logs_up_to_a_bound()
    {
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111");
        for (var i = 0; i < BlockDirectories.KeptAfterEnd + 3; i++)
            supervisor.Request($"b{i}");
        await EventuallyAsync(() => _reports.Count(report => report.StartsWith("ended", StringComparison.Ordinal)) == BlockDirectories.KeptAfterEnd + 3);
        Directory.GetDirectories(Path.Combine(_configuration.StateDirectory, "blocks")).Length.ShouldBe(BlockDirectories.KeptAfterEnd);
    }

    [Fact]
    public async Task A_submission_without_an_answer_is_neither_repeated_nor_given_up_until_its_job_is_found()
    {
        var provider = new UnclearProvider();
        var supervisor = await StartAsync("", "127.0.0.1:1111", provider: provider);
        supervisor.Request("b1");
        await EventuallyAsync(() => supervisor.Current() is [{ State: BlockState.Pending, JobId: "", Reason: "the scheduler is away" }]);
        provider.Found = () => "7";
        await EventuallyAsync(() => _reports.Contains("running b1"));
        supervisor.Current().ShouldHaveSingleItem().JobId.ShouldBe("7");
        provider.Submissions.ShouldBe(1);
    }

    [Fact]
    public async Task A_submission_of_which_no_job_is_found_for_half_a_minute_has_failed()
    {
        var (provider, time) = (new UnclearProvider { Found = () => null }, new FakeTimeProvider());
        var supervisor = await StartAsync("", "127.0.0.1:1111", provider: provider, time: time);
        supervisor.Request("b1");
        await EventuallyAsync(() => supervisor.Current() is [{ Reason: "no answer within 100 s" }]);
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return _reports.Any(report => report.StartsWith("ended b1 failed: the unclear provider took no job for block b1: no answer within 100 s", StringComparison.Ordinal));
        });
        provider.Submissions.ShouldBe(1);
    }

    [Fact]
    public async Task An_endpoint_starts_while_its_scheduler_is_away_and_has_its_blocks_as_they_were()
    {
        var provider = new UnclearProvider { Found = () => "7" };
        var first = await StartAsync("", "127.0.0.1:1111", provider: provider);
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        await first.StopAsync(CancellationToken.None);
        _reports.Clear();

        provider.IsAway = true;
        var second = await StartAsync("", "127.0.0.1:2222", provider: provider);

        second.Surviving().ShouldHaveSingleItem().State.ShouldBe(BlockState.Running);
        _reports.ShouldBeEmpty();
        provider.IsAway = false;
        second.End("b1");
        await EventuallyAsync(() => _reports.Any(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Jobs_that_no_block_has_are_looked_for_at_a_start_by_the_endpoints_identity()
    {
        var provider = new UnclearProvider { Found = () => "7" };
        var first = await StartAsync("", "127.0.0.1:1111", provider: provider);
        first.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        await first.StopAsync(CancellationToken.None);
        await StartAsync("", "127.0.0.1:2222", provider: provider);
        var questions = provider.OrphanQuestions.ToArray();
        questions.Select(question => question.Blocks).ShouldBe([[], ["b1"]]);
        questions[0].Owner.ShouldBe(questions[1].Owner);
        questions[0].Owner.ShouldMatch("^[0-9a-f]{10}$");
    }

    [Fact]
    public async Task Jobs_that_no_block_has_are_looked_for_until_that_has_succeeded_also_while_there_is_no_block()
    {
        var (provider, time) = (new UnclearProvider { HidesJobs = true }, new FakeTimeProvider());
        await StartAsync("", "127.0.0.1:1111", provider: provider, time: time);
        provider.OrphanQuestions.Count.ShouldBe(1);
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return provider.OrphanQuestions.Count == 3;
        });
        provider.HidesJobs = false;
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return provider.OrphanQuestions.Count == 4;
        });
        for (var i = 0; i < 100; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }

        provider.OrphanQuestions.Count.ShouldBe(4);
    }

    [Theory]
    [InlineData("exit 0", true)]
    [InlineData("exit 3", false)]
    public async Task In_its_own_job_an_endpoint_is_over_when_its_block_has_ended_well_and_by_itself(string agent, bool isOver)
    {
        var supervisor = await StartAsync(agent, "127.0.0.1:1111", provider: new LocalProvider(TimeProvider.System, ownJob: true));
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Any(static report => report.StartsWith("ended b1", StringComparison.Ordinal)));
        supervisor.Over.IsCompleted.ShouldBe(isOver);
    }

    [Fact]
    public async Task A_block_that_is_ended_says_nothing_of_its_job()
    {
        var supervisor = await StartAsync("trap 'exit 0' TERM; while :; do sleep 0.05; done", "127.0.0.1:1111", provider: new LocalProvider(TimeProvider.System, ownJob: true));
        supervisor.Request("b1");
        await EventuallyAsync(() => _reports.Contains("running b1"));
        supervisor.End("b1");
        await EventuallyAsync(() => _reports.Any(static report => report.StartsWith("ended b1", StringComparison.Ordinal)));
        supervisor.Over.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task An_endpoint_in_a_job_has_as_many_nodes_as_its_manager_finds_and_does_not_start_outside_one()
    {
        var file = EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: https://x.org\nstate_dir: {_configuration.StateDirectory}\nprovider: {{type: allocation}}\nworkers: {{per_node: 1}}\n").Value!;
        (file.Blocks.Min, file.Blocks.Init, file.Blocks.Max).ShouldBe((1, 1, 1));
        (await ResolveAsync("printf 'n1\\nn2\\nn3\\n'")).Provider.Nodes.ShouldBe(3);
        (await Should.ThrowAsync<EndpointRefusedException>(() => ResolveAsync("echo this is no job >&2; exit 69"))).Message.ShouldContain("'provider.type' is allocation, and the nodes of this job are not known: this is no job");
        (await JobNodes.ResolveAsync(_configuration, new ManagerProgram("/nowhere"), CancellationToken.None)).ShouldBe(_configuration, "others are not asked");

        Task<EndpointConfiguration> ResolveAsync(string answer) => JobNodes.ResolveAsync(file, new ManagerProgram(_scratch.Write($"nodes-{Guid.NewGuid():N}", $"#!/bin/sh\n[ \"$*\" = --nodes ] || exit 64\n{answer}\n", FileModes.PrivateDirectory)), CancellationToken.None);
    }

    public ValueTask InitializeAsync()
    {
        _configuration = EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: https://x.org\nstate_dir: {_scratch.Path}/state\n").Value!;
        StateDirectory.Prepare(_configuration.StateDirectory);
        _certificate = CertificateFile.LoadOrCreate(_configuration.StateDirectory, TimeProvider.System);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_supervisors.Count > 0)
        {
            var ended = _supervisors[^1].EndAllAsync(TimeSpan.FromSeconds(15));
            // By a clock that only a test moves nothing would end after one that has failed.
            while (_time is { } time && !ended.IsCompleted)
            {
                time.Advance(TimeSpan.FromMilliseconds(50));
                await Task.Delay(5);
            }

            await ended;
            foreach (var supervisor in _supervisors)
            {
                await supervisor.StopAsync(CancellationToken.None);
                supervisor.Dispose();
            }
        }

        _certificate.Dispose();
        _scratch.Dispose();
    }

    private async Task<BlockSupervisor> StartAsync(string body, string address, string service = "https://x.org", IBlockProvider? provider = null, TimeProvider? time = null, bool listening = true, ILogger<BlockSupervisor>? logger = null)
    {
        var supervisor = new BlockSupervisor(_configuration, Identity(service), provider ?? new LocalProvider(TimeProvider.System), new WrittenReports(_reports), _certificate,
            new ManagerProgram(_scratch.WriteManager(body)), time ?? TimeProvider.System, logger ?? NullLogger<BlockSupervisor>.Instance);
        _supervisors.Add(supervisor);
        _time = time as FakeTimeProvider;
        await supervisor.RecoverAsync(CancellationToken.None);
        await supervisor.StartAsync(CancellationToken.None);
        if (listening)
            supervisor.Listening([address]);
        return supervisor;
    }

    private Task AnswersAsync(PlayedProvider provider, int count)
    {
        var before = provider.Queries;
        return EventuallyAsync(() => provider.Queries >= before + count);
    }

    private int[] Pids(string block) =>
        [.. PrivateFile.ReadJson<BlockFile>(Path.Combine(_configuration.StateDirectory, "blocks", block, "block.json"))!.JobId!.Split('/')[2].Split(',').Select(node => int.Parse(node.Split('.')[0]))];

    private static EndpointIdentity Identity(string service) => new() { EndpointId = "e1", Credential = "fxe_x", ServiceAddress = service, Instance = "i" };

    private RendezvousFile ReadRendezvous(string block) => JsonSerializer.Deserialize<RendezvousFile>(
        File.ReadAllText(Path.Combine(_configuration.StateDirectory, "blocks", block, "rendezvous.json")))!;

    private async Task EventuallyAsync(Func<bool> condition)
    {
        var begun = Stopwatch.StartNew();
        while (!condition())
        {
            begun.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20), $"reports: {string.Join(" | ", _reports)}");
            await Task.Delay(20);
        }
    }

    private sealed class HeardLogger : ILogger<BlockSupervisor>
    {
        public ConcurrentQueue<string> Said { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Said.Enqueue(formatter(state, exception));
    }

    private sealed class WrittenReports(ConcurrentQueue<string> reports) : IBlockObserver
    {
        public void OnBlockRunning(string blockId) => reports.Enqueue($"running {blockId}");

        public void OnBlockEnded(string blockId, BlockEnding ending) => reports.Enqueue($"ended {blockId} {ending.Reason}");

        public void OnBlockEnds(string blockId, DateTimeOffset endsAt) => reports.Enqueue($"ends {blockId} {endsAt:HH:mm:ss}");

        public void OnBlockSuspended(string blockId, bool suspended) => reports.Enqueue($"{(suspended ? "suspended" : "goes on")} {blockId}");

        public void OnBlockPending(string blockId, string reason) => reports.Enqueue($"waits {blockId}: {reason}");
    }
}
