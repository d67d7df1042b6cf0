using System.Diagnostics;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Delivery;

[Collection(SharedClusterCollection.Name)]
public sealed class CancelTests(SharedCluster shared)
{
    [Fact]
    public async Task Running_and_queued_tasks_end_as_cancelled_and_finished_ones_stay_as_they_are()
    {
        var finishedGroup = SharedCluster.NewGroup();
        var finished = await shared.Cluster.SubmitRangeAsync(await shared.FunctionAsync(Python.Square), finishedGroup, 1);
        await shared.Api.WaitAsync(finishedGroup, 1);
        var nap = await shared.FunctionAsync(Python.Nap);
        var group = SharedCluster.NewGroup();
        var batch = ServiceApi.NewBatch();
        await shared.Api.SubmitAsync(ServiceApi.Request(nap, shared.Cluster.EndpointId, group, Enumerable.Repeat("[30, 1]", 40), null, batch));
        await Eventually.TrueAsync(async () => (await shared.Api.EndpointAsync(shared.Cluster.EndpointId)).Status.WorkersBusy == 2, "both workers run a task");

        var clock = Stopwatch.StartNew();
        var reply = await shared.Api.Tasks.CancelAsync(new CancelRequest { Group = group }, shared.Api.Headers);
        var results = await shared.Api.WaitAsync(group, 40, TimeSpan.FromSeconds(20));

        reply.Cancelled.ShouldBe(40);
        results.Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
        var none = await shared.Api.Tasks.CancelAsync(new CancelRequest { TaskIds = { new TaskId(finished[0], 0).ToString() } }, shared.Api.Headers);
        none.Cancelled.ShouldBe(0);
        (await shared.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = new TaskId(finished[0], 0).ToString() }, shared.Api.Headers)).Outcome.ShouldBe(Outcome.Value);

        // The workers that were ended for it are replaced.
        var after = SharedCluster.NewGroup();
        await shared.Cluster.SubmitRangeAsync(await shared.FunctionAsync(Python.Square), after, 100);
        (await shared.Api.WaitAsync(after, 100)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    }

    [Fact]
    public async Task One_task_of_many_is_cancelled_alone()
    {
        var nap = await shared.FunctionAsync(Python.Nap);
        var group = SharedCluster.NewGroup();
        var batch = ServiceApi.NewBatch();
        await shared.Api.SubmitAsync(ServiceApi.Request(nap, shared.Cluster.EndpointId, group, Enumerable.Range(0, 10).Select(static i => $"[0.2, {i}]"), null, batch));

        var reply = await shared.Api.Tasks.CancelAsync(new CancelRequest { TaskIds = { new TaskId(batch, 9).ToString() } }, shared.Api.Headers);
        var results = await shared.Api.WaitAsync(group, 10);

        reply.Cancelled.ShouldBe(1);
        results[new TaskId(batch, 9)].Outcome.ShouldBe(Outcome.Cancelled);
        results.Where(result => result.Key.Index != 9).ShouldAllBe(static result => result.Value.Outcome == Outcome.Value);
    }

    [Fact]
    public async Task A_task_that_outlives_its_walltime_ends_as_timed_out_and_its_neighbours_do_not()
    {
        var nap = await shared.FunctionAsync(Python.Nap);
        var group = SharedCluster.NewGroup();
        var neighbours = SharedCluster.NewGroup();
        await shared.Api.SubmitAsync(ServiceApi.Request(nap, shared.Cluster.EndpointId, group, ["[60, 1]"], new TaskOptions { WalltimeMs = 300 }));
        await shared.Api.SubmitAsync(ServiceApi.Request(nap, shared.Cluster.EndpointId, neighbours, Enumerable.Repeat("[0.01, 1]", 100)));

        (await shared.Api.WaitAsync(group, 1, TimeSpan.FromSeconds(20))).Values.Single().Outcome.ShouldBe(Outcome.TimedOut);
        (await shared.Api.WaitAsync(neighbours, 100)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    }
}
