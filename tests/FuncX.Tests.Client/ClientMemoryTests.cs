using FuncX.Client;
using FuncX.Tests.Client.Fake;
using FuncX.Tests.Integration.Harness;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>Alone: what other tests hold at the same time would count in.</summary>
[CollectionDefinition(nameof(ClientMemoryTests), DisableParallelization = true)]
public sealed class ClientMemoryCollection;

[Collection(nameof(ClientMemoryTests))]
public sealed class ClientMemoryTests
{
    /// <summary>A million calls: <c>MillionCallsTests</c> has the same with the real programs, and is in the short run.</summary>
    [LongFact]
    public async Task What_a_map_keeps_does_not_grow_with_its_calls()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        service.State.Forgetting = true;
        await using var client = service.Client();
        var kept = new List<long>();
        var taken = 0;

        await foreach (var value in client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 1_000_000), new MapOptions { Window = 4_000 }, cancellation: TestContext.Current.CancellationToken))
        {
            value.ShouldBe(taken);
            if (++taken % 250_000 == 0)
                kept.Add(GC.GetTotalMemory(forceFullCollection: true));
        }

        kept.Count.ShouldBe(4);
        // What is on its way, and with it what pools hold, differs from one look to the next. An object kept for each call would have 24 bytes at least.
        (kept[3] - kept[0]).ShouldBeLessThan(8 << 20, string.Join(", ", kept));
    }
}
