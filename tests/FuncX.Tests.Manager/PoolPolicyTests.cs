using FuncX.Manager.Engine;
using FuncX.Manager.Pools;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class PoolPolicyTests
{
    private static PoolDecision[] Decide(int perNode, params PoolDemand[] pools)
    {
        var decisions = new PoolDecision[pools.Length];
        PoolPolicy.Decide(pools, perNode, decisions);
        return decisions;
    }

    [Fact]
    public void A_lone_owner_gets_a_worker_per_waiting_task_up_to_the_node()
    {
        Decide(8, new PoolDemand(3, 0, 0, 0, 0))[0].ShouldBe(new PoolDecision(3, 0));
        Decide(8, new PoolDemand(30, 2, 0, 1, 0))[0].ShouldBe(new PoolDecision(5, 0));
    }

    [Fact]
    public void Idle_workers_of_others_stay_warm_while_there_is_room() =>
        Decide(8, new PoolDemand(2, 0, 0, 0, 0), new PoolDemand(0, 0, 5, 0, 0)).ShouldBe([new PoolDecision(2, 0), default]);

    [Fact]
    public void Idle_workers_of_others_are_given_up_when_there_is_none() =>
        Decide(4, new PoolDemand(2, 0, 0, 0, 0), new PoolDemand(0, 1, 3, 0, 0)).ShouldBe([default, new PoolDecision(0, 2)]);

    [Fact]
    public void Who_holds_more_than_an_even_share_gives_up_busy_workers() =>
        Decide(4, new PoolDemand(9, 4, 0, 0, 0), new PoolDemand(9, 0, 0, 0, 0)).ShouldBe([new PoolDecision(0, 2), default]);

    [Fact]
    public void Slots_that_are_being_given_up_are_not_asked_for_twice() =>
        Decide(4, new PoolDemand(9, 2, 0, 0, 2), new PoolDemand(9, 0, 0, 0, 0)).ShouldBe([default, default]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_the_demand_the_node_is_never_overfull(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var perNode = random.Next(1, 20);
            var pools = new PoolDemand[random.Next(1, 6)];
            var room = perNode;
            for (var i = 0; i < pools.Length; i++)
            {
                var busy = random.Next(0, room + 1);
                room -= busy;
                var idle = random.Next(0, room + 1);
                room -= idle;
                var leaving = random.Next(0, room + 1);
                room -= leaving;
                pools[i] = new PoolDemand(random.Next(0, 30), busy, idle, 0, leaving);
            }

            var decisions = Decide(perNode, pools);
            decisions.Sum(decision => decision.Start).ShouldBeLessThanOrEqualTo(room);
            for (var i = 0; i < pools.Length; i++)
                decisions[i].Retire.ShouldBeInRange(0, pools[i].Kept);
        }
    }

    [Theory]
    [InlineData(0, 0, NodeFunction.Unknown, 512, true)]
    [InlineData(1, NodeFunction.Unknown, 2, 512, false)]
    [InlineData(1, 2, NodeFunction.Unknown, 512, false)]
    [InlineData(511, 1022, 2, 512, true)]
    [InlineData(512, 1024, 2, 1024, false)]
    [InlineData(10, 1000, 400, 512, true)]
    [InlineData(10, 1000, 600, 512, false)]
    [InlineData(1, 2, 2, 1, false)]
    public void A_workers_window_is_counted_in_work(int outstanding, long pending, int estimate, int window, bool room) =>
        FeedPolicy.HasRoom(outstanding, pending, estimate, window).ShouldBe(room);

    [Fact]
    public void An_estimate_rises_fast_and_falls_slowly()
    {
        var function = new NodeFunction(1, SlabPool.Single(0));
        function.EstimateMicroseconds.ShouldBe(NodeFunction.Unknown);
        function.Observe(8);
        function.EstimateMicroseconds.ShouldBe(8);
        function.Observe(1_000_000);
        function.EstimateMicroseconds.ShouldBeGreaterThan(400_000);
        for (var i = 0; i < 200; i++)
            function.Observe(8);
        function.EstimateMicroseconds.ShouldBeLessThan(20);
    }
}
