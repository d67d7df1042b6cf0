using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What the provider says of blocks while they are there, and that it says nothing.</summary>
public sealed class EndpointBlocksQueryTests : EndpointBlocksHarness
{
    [Fact]
    public async Task A_silent_manager_has_the_provider_asked_which_knows_that_the_block_stands_still()
    {
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromHours(1) };
        var supervisor = await StartBlockAsync("exit 0", provider: provider);
        provider.Suspended = true;
        supervisor.OnManagerSilent("b1");
        await EventuallyAsync(() => Reports.Contains("suspended b1"));
        provider.Hurries.ShouldBe(1);
        supervisor.OnManagerSilent("b1");
        await EventuallyAsync(() => provider.Hurries == 2);
        provider.Suspended = false;
        supervisor.OnManagerSilent("b1");
        await EventuallyAsync(() => Reports.Contains("goes on b1"));
        Reports.ShouldBe(["running b1", "suspended b1", "goes on b1"]);
    }

    [Fact]
    public async Task Why_a_block_waits_is_reported_when_it_changes_and_that_it_does_not_any_more()
    {
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromMilliseconds(10), Pending = "Priority" };
        var supervisor = await StartAsync("exit 0", "127.0.0.1:1111", provider: provider);
        supervisor.Request("b1");
        await EventuallyAsync(() => Reports.Contains("waits b1: Priority"));
        supervisor.Current().ShouldHaveSingleItem().Reason.ShouldBe("Priority");
        await AnswersAsync(provider, 2);
        provider.Pending = "Can Never Run";
        await EventuallyAsync(() => Reports.Contains("waits b1: Can Never Run"));
        provider.Pending = "";
        await EventuallyAsync(() => Reports.Contains("waits b1: "));
        // It was put back into the queue.
        provider.Pending = "it ran once before";
        await EventuallyAsync(() => Reports.Contains("waits b1: it ran once before"));
        Reports.ShouldBe(["waits b1: Priority", "waits b1: Can Never Run", "running b1", "waits b1: ", "waits b1: it ran once before"]);
    }

    [Fact]
    public async Task A_provider_that_does_not_answer_is_said_with_its_blocks_until_it_does_and_is_written_nowhere()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        var provider = new PlayedProvider { PollInterval = TimeSpan.FromSeconds(5) };
        var supervisor = await StartBlockAsync("exit 0", provider: provider, time: time);
        provider.Failure = new BlockProviderException("connection refused");
        await PassAsync(() => supervisor.Current().Single().Reason.Length > 0);
        var reason = supervisor.Current().Single().Reason;
        reason.ShouldMatch("^played has not answered since 03:0[0-9]:[0-9]{2}Z: connection refused$");
        provider.Failure = new BlockProviderException("connection timed out");
        await PassAsync(() => supervisor.Current().Single().Reason == reason.Replace("refused", "timed out", StringComparison.Ordinal));
        supervisor.Current().Single().State.ShouldBe(BlockState.Running);
        PrivateFile.ReadJson<BlockFile>(Path.Combine(Configuration.StateDirectory, "blocks", "b1", "block.json"))!.Reason.ShouldBeEmpty();

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
        Reports.ShouldBe(["running b1"]);

        // A block that waits does so for want of an answer, as far as anybody knows.
        provider.Pending = "Priority";
        await PassAsync(() => Reports.Contains("waits b1: Priority"));
        provider.Failure = new BlockProviderException("connection refused");
        await PassAsync(() => Reports.Last().StartsWith("waits b1: Priority; played has not answered since 03:0", StringComparison.Ordinal));
        provider.Failure = null;
        await PassAsync(() => Reports.Last() == "waits b1: Priority");
        supervisor.End("b1");
        await PassAsync(() => Reports.Last().StartsWith("ended b1 cancelled", StringComparison.Ordinal));

        Task PassAsync(Func<bool> condition) => EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return condition();
        });
    }

    private Task AnswersAsync(PlayedProvider provider, int count)
    {
        var before = provider.Queries;
        return EventuallyAsync(() => provider.Queries >= before + count);
    }
}
