using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Delivery;

[Collection(SharedClusterCollection.Name)]
public sealed class TenThousandTasksTests(SharedCluster shared)
{
    [Fact]
    public async Task Ten_thousand_calls_each_have_one_outcome_with_the_right_value()
    {
        var function = await shared.FunctionAsync(Python.Square);
        var group = SharedCluster.NewGroup();
        var batches = await shared.Cluster.SubmitRangeAsync(function, group, 10_000);

        var results = await shared.Api.WaitAsync(group, 10_000);

        for (var i = 0; i < 10_000; i++)
        {
            var result = results[new TaskId(batches[i / 1_000], (uint)(i % 1_000))];
            result.Outcome.ShouldBe(Outcome.Value);
            result.ContentType.ShouldBe(ContentType.Json);
            result.Text.ShouldBe($"{((long)i * i) + 7}");
        }

        var counts = await shared.Api.GroupAsync(group);
        (counts.Tasks, counts.Done, counts.Failed, counts.Queued, counts.Dispatched).ShouldBe((10_000, 10_000, 0, 0, 0));
    }

    [Fact]
    public async Task The_stream_of_results_goes_on_from_any_cursor_and_can_be_read_again()
    {
        var function = await shared.FunctionAsync(Python.Square);
        var group = SharedCluster.NewGroup();
        await shared.Cluster.SubmitRangeAsync(function, group, 2_000, perBatch: 50);
        var whole = await shared.Api.WaitAsync(group, 2_000);

        using var call = shared.Api.Tasks.Results(new ResultsRequest { Group = group }, shared.Api.Headers);
        var before = new HashSet<TaskId>();
        var cursors = new List<(ulong Cursor, int Seen)>();
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            before.UnionWith(TaskResult.Decode(call.ResponseStream.Current).Select(static result => result.Task));
            cursors.Add((call.ResponseStream.Current.Cursor, before.Count));
        }

        before.SetEquals(whole.Keys).ShouldBeTrue();
        foreach (var (cursor, seen) in new[] { cursors[0], cursors[cursors.Count / 2], cursors[^1] })
        {
            using var rest = shared.Api.Tasks.Results(new ResultsRequest { Group = group, Cursor = cursor }, shared.Api.Headers);
            var tasks = new HashSet<TaskId>();
            while (await rest.ResponseStream.MoveNext(CancellationToken.None))
                TaskResult.Decode(rest.ResponseStream.Current).ShouldAllBe(result => tasks.Add(result.Task));
            tasks.Count.ShouldBe(2_000 - seen);
        }
    }

    [Fact]
    public async Task A_task_tells_the_time_of_each_hop_in_order()
    {
        var function = await shared.FunctionAsync(Python.Square);
        var group = SharedCluster.NewGroup();
        var batches = await shared.Cluster.SubmitRangeAsync(function, group, 1);
        await shared.Api.WaitAsync(group, 1);

        var task = await shared.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = new TaskId(batches[0], 0).ToString() }, shared.Api.Headers);

        var times = task.Times;
        long[] hops =
        [
            times.ClientSent, times.ServiceAccepted, times.ServiceCommitted, times.ServiceSent, times.EndpointReceived, times.EndpointSent,
            times.ManagerReceived, times.WorkerStarted, times.WorkerEnded, times.EndpointBack, times.ServiceBack, times.ResultCommitted,
        ];
        hops.ShouldAllBe(static time => time > 0, times.ToString());
        hops.ShouldBeInOrder(SortDirection.Ascending, times.ToString());
        (task.State, task.Outcome, task.Attempts, task.Value.ToStringUtf8()).ShouldBe((TaskState.Done, Outcome.Value, 1u, "7"));
    }

    [Fact]
    public async Task An_exception_keeps_its_type_its_text_and_what_was_printed_before()
    {
        var function = await shared.FunctionAsync(Python.Fail);
        var group = SharedCluster.NewGroup();
        await shared.Cluster.SubmitRangeAsync(function, group, 3);

        var results = await shared.Api.WaitAsync(group, 3);

        results.Values.ShouldAllBe(static result => result.Outcome == Outcome.Exception);
        foreach (var (task, result) in results)
        {
            using var failure = System.Text.Json.JsonDocument.Parse(result.Value);
            failure.RootElement.GetProperty("type").GetString()!.ShouldEndWith("Broken");
            failure.RootElement.GetProperty("message").GetString().ShouldBe($"no {task.Index}");
            failure.RootElement.GetProperty("traceback").GetString()!.ShouldContain("raise Broken");
            System.Text.Encoding.UTF8.GetString(result.Output.Span).ShouldBe($"before {task.Index}\n");
        }
    }

    [Fact]
    public async Task A_body_of_five_megabytes_goes_there_and_back()
    {
        var function = await shared.Api.RegisterAsync("def same(text):\n    return text\n", "same");
        var group = SharedCluster.NewGroup();
        var text = new string('x', 5 * 1024 * 1024);
        await shared.Api.SubmitAsync(ServiceApi.Request(function, shared.Cluster.EndpointId, group, [$"[\"{text}\"]", "[\"small\"]"]));

        var results = await shared.Api.WaitAsync(group, 2);

        results.Values.Select(static result => (result.Outcome, result.Value.Length)).Order().ShouldBe([(Outcome.Value, 7), (Outcome.Value, text.Length + 2)]);
    }
}
