using System.Diagnostics;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Which managers behind a leader count as alive; in a class of its own since it waits.</summary>
public sealed class EndpointLeaderSilenceTests
{
    [Fact]
    public async Task What_one_manager_says_through_the_leader_speaks_for_those_that_say_nothing()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        await service.LinkAsync();
        await using var leader = await EndpointLeaderTests.LeaderAsync(endpoint);
        await EndpointLeaderTests.JoinAsync(leader, 1);
        await EndpointLeaderTests.JoinAsync(leader, 2);
        leader.FallSilent();

        // Longer than a manager may be silent; a busy leader has no reason for heartbeats of its own.
        var begun = Stopwatch.StartNew();
        for (var mark = 1UL; begun.Elapsed < TimeSpan.FromSeconds(7); mark++)
        {
            await leader.MarkAsync(mark, destination: 1);
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }

        (await endpoint.Loop.DescribeAsync()).Managers.ShouldBe(2);
        await leader.SendAsync(new FrameHeader { Kind = FrameKind.Gone, Destination = 2 }, default);
        await Eventually.True(() => endpoint.Loop.Snapshot.Managers == 1);
    }
}
