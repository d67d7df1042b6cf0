using System.Text.Json;
using FuncX.Bench.Scale;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What the bench makes of the counters in an endpoint's status.</summary>
public sealed class RankFramesTests
{
    [Fact]
    public void A_rank_is_a_process_of_a_node_however_many_managers_it_is()
    {
        Frames(
            new ManagerCounts("m1", "n1", 7, 0, Hops(3, 2)),
            new ManagerCounts("m2", "n1", 7, 0, Hops(10, 10)),
            new ManagerCounts("m3", "n2", 7, 0, Hops(1, 1)),
            new ManagerCounts("m4", "n2", 8, 0, Hops(100, 0))).ShouldBe([25, 2, 100], ignoreOrder: true);
        Frames().ShouldBeEmpty();
    }

    // As the endpoint answers it.
    private static IReadOnlyCollection<long> Frames(params ManagerCounts[] managers) =>
        RankFrames.Of(JsonSerializer.SerializeToElement(new EndpointSnapshot { PerManager = managers }, EndpointStatusReport.Json).GetProperty("per_manager"));

    private static ManagerHops Hops(long received, long results) => new() { TasksReceived = received, ResultsFromWorkers = results };
}
