using System.Collections.Concurrent;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What a process finds of the blocks that an earlier one had.</summary>
public sealed class EndpointBlocksRecoveryTests : EndpointBlocksHarness
{
    [Fact]
    public async Task A_restarted_endpoint_finds_its_blocks_and_tells_them_its_new_address()
    {
        var first = await StartBlockAsync();
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
        await EventuallyAsync(() => Reports.Any(report => report.StartsWith("ended b1", StringComparison.Ordinal)));
        Reports.Count(report => report.StartsWith("ended b1", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_block_that_runs_another_services_tasks_is_left_alone_and_its_own_endpoint_gets_it_back()
    {
        var first = await StartBlockAsync();
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
        var first = await StartBlockAsync();
        var secret = ReadRendezvous("b1").Secret;
        await first.StopAsync(CancellationToken.None);
        var file = Path.Combine(Configuration.StateDirectory, "blocks", "b1", "block.json");
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

        await EventuallyAsync(() => Reports.Count(static report => report.StartsWith("ended o", StringComparison.Ordinal)) == BlockDirectories.KeptAfterEnd + 3);
        (await File.ReadAllBytesAsync(file)).ShouldBe(before);
        log.Said.ShouldContain(static said => said.Contains("block b1", StringComparison.Ordinal) && said.Contains("is of the local provider, and provider.type is played now", StringComparison.Ordinal));
        await other.EndAllAsync(TimeSpan.FromSeconds(15));
        await other.StopAsync(CancellationToken.None);

        var again = await StartAsync("exec sleep 600", "127.0.0.1:3333");
        again.Surviving().ShouldHaveSingleItem().BlockId.ShouldBe("b1");
        again.TryAuthenticate("b1", secret).ShouldBeTrue();
    }

    [Fact]
    public async Task A_start_on_a_full_disk_takes_its_blocks_up_and_tells_them_its_address_once_there_is_room()
    {
        var first = await StartBlockAsync();
        await first.StopAsync(CancellationToken.None);
        var directory = Path.Combine(Configuration.StateDirectory, "blocks", "b1");
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

    [Theory]
    [InlineData("elsewhere", "elsewhere/boot.1/123.456", true)]
    [InlineData("elsewhere", null, true)]
    [InlineData(null, "this/boot.1/123.456", false)] // Of this machine before it was booted again.
    public async Task A_block_on_another_machine_is_neither_lost_nor_touched(string? host, string? job, bool isLeft)
    {
        var directory = Directory.CreateDirectory(Path.Combine(Configuration.StateDirectory, "blocks", "b1")).FullName;
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
        var first = await StartBlockAsync("while :; do sleep 0.05; done");
        await first.StopAsync(CancellationToken.None);
        var blocks = Path.Combine(Configuration.StateDirectory, "blocks");
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
    public async Task An_endpoint_starts_while_its_scheduler_is_away_and_has_its_blocks_as_they_were()
    {
        var provider = new UnclearProvider { Found = () => "7" };
        var first = await StartBlockAsync("", provider: provider);
        await first.StopAsync(CancellationToken.None);
        Reports.Clear();

        provider.IsAway = true;
        var second = await StartAsync("", "127.0.0.1:2222", provider: provider);

        second.Surviving().ShouldHaveSingleItem().State.ShouldBe(BlockState.Running);
        Reports.ShouldBeEmpty();
        provider.IsAway = false;
        second.End("b1");
        await EventuallyAsync(() => Reports.Any(report => report.StartsWith("ended b1 cancelled", StringComparison.Ordinal)));
    }

    private sealed class HeardLogger : ILogger<BlockSupervisor>
    {
        public ConcurrentQueue<string> Said { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Said.Enqueue(formatter(state, exception));
    }
}
