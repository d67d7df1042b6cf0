using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Registry;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Listings, counts, and what is said of results that have expired.</summary>
public sealed class ServiceTasksListTests
{
    private static readonly byte[] _value = [.. "42"u8];

    [Fact]
    public async Task A_listing_by_state_has_each_task_of_a_long_batch_once()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(3_000);
        await harness.Engine.CancelAsync(EngineHarness.Owner, [.. Enumerable.Range(0, 1_000).Select(index => new TaskId(batch.Key.Id, (uint)index))], null);
        var listed = await ListAsync(harness.TaskReader(), TaskState.Queued, limit: 100);
        listed.ShouldBe([.. Enumerable.Range(1_000, 2_000).Select(index => $"{batch.Key.Id}-{index}")]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task Batches_that_go_to_the_index_between_two_pages_are_listed_once(int pagesBefore)
    {
        using var harness = new EngineHarness();
        var expected = new List<string>();
        async Task SubmitAsync()
        {
            var batch = await harness.SubmitAsync(2);
            expected.AddRange([$"{batch.Key.Id}-0", $"{batch.Key.Id}-1"]);
        }

        await SubmitAsync();
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
        await harness.Engine.IndexAllAsync();
        await SubmitAsync();
        await SubmitAsync();
        var reader = harness.TaskReader();
        var listed = new List<string>();
        var next = "";
        for (var page = 0; page == 0 || next.Length > 0; page++)
        {
            if (page == pagesBefore)
            {
                await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
                await harness.Engine.IndexAllAsync();
            }

            var reply = await reader.ListAsync(EngineHarness.Owner, "g", TaskState.Unspecified, 1, next);
            listed.AddRange(reply.Tasks.Select(task => task.TaskId));
            next = reply.Next;
        }

        listed.ShouldBe(expected, ignoreOrder: true);
    }

    [Fact]
    public async Task A_group_is_counted_once_while_its_batches_go_to_the_index()
    {
        using var harness = new EngineHarness();
        var reader = harness.TaskReader();
        var tasks = 0;
        for (var round = 0; round < 100; round++)
        {
            for (var batch = 0; batch < 5; batch++)
                tasks += (await harness.SubmitAsync(2)).Count;
            await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
            var indexing = Task.Run(async () => await harness.Engine.IndexAllAsync(), TestContext.Current.CancellationToken);
            while (!indexing.IsCompleted)
            {
                var group = (await reader.GetGroupAsync(EngineHarness.Owner, "g")).ShouldNotBeNull();
                (group.Tasks, group.Done, group.Failed).ShouldBe((tasks, tasks, tasks));
                var listed = (await new GroupReader(harness.Engine).ListAsync(EngineHarness.Owner, new ListGroupsRequest(), [], 10)).Groups.ShouldHaveSingleItem();
                (listed.Tasks, listed.Done, listed.Failed).ShouldBe((tasks, tasks, tasks));
            }
        }
    }

    [Fact]
    public async Task A_task_that_was_cancelled_before_it_was_sent_has_no_attempt()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1);
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
        var info = (await harness.TaskReader().GetAsync(EngineHarness.Owner, new TaskId(batch.Key.Id, 0))).ShouldNotBeNull();
        (info.State, info.Outcome, info.Attempts).ShouldBe((TaskState.Done, Outcome.Cancelled, 0u));
    }

    [Fact]
    public async Task Results_that_have_expired_are_said_to_be_and_never_left_out_in_silence()
    {
        using var harness = new EngineHarness(limits: new ServiceLimits { ResultRetention = TimeSpan.FromHours(1) });
        var batch = await harness.SubmitAsync(2);
        var (first, second) = (new TaskId(batch.Key.Id, 0), new TaskId(batch.Key.Id, 1));
        using (var receiver = harness.Receiver(await harness.ConnectAsync()))
            await receiver.ReceiveAsync(EngineHarness.Message(1, (first, 1, TaskOutcome.Value, _value)), inline: true);
        await harness.Engine.SnapshotAsync();
        harness.Time.Advance(TimeSpan.FromHours(2));
        await harness.SubmitAsync(1, "later");
        for (var tick = 0; tick < 4; tick++)
        {
            harness.Time.Advance(TimeSpan.FromMinutes(40));
            await harness.Engine.LookAsync(static _ => true);
            await harness.Engine.SnapshotAsync();
        }

        // Without the results that are still in memory.
        harness.Restart();
        var reader = harness.TaskReader();
        TaskReader.IsExpired((await reader.GetAsync(EngineHarness.Owner, first)).ShouldNotBeNull()).ShouldBeTrue();
        (await reader.ListAsync(EngineHarness.Owner, "g", TaskState.Unspecified, 10, "")).Tasks.ShouldHaveSingleItem().TaskId.ShouldBe(second.ToString());
        using (var receiver = harness.Receiver(await harness.ConnectAsync("one", new InventoryEntry(second, 1, HeldState.Running))))
            await receiver.ReceiveAsync(EngineHarness.Message(1, (second, 1, TaskOutcome.Value, _value)), inline: true);
        var expired = await Should.ThrowAsync<CursorException>(() => harness.ReadAsync());
        expired.Message.ShouldStartWith("Results of group 'g' behind cursor ");
        var cursor = ulong.Parse(expired.Message.Split("Go on with cursor ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        EngineHarness.Outcomes(await harness.ReadAsync(cursor: cursor)).ShouldBe(new Dictionary<TaskId, Outcome> { [second] = Outcome.Value });
        EngineHarness.Outcomes([await harness.FollowOneAsync()]).Keys.ShouldBe([second]);
    }

    [Fact]
    public async Task A_cursor_beyond_all_results_is_refused()
    {
        using var harness = new EngineHarness();
        await harness.SubmitAsync(1);
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
        var last = (await harness.ReadAsync()).ShouldHaveSingleItem().Cursor;
        (await harness.ReadAsync(cursor: last)).ShouldBeEmpty();
        (await Should.ThrowAsync<CursorException>(() => harness.ReadAsync(cursor: last * 4))).Message.ShouldContain($"Cursor {last * 4} of group 'g' lies beyond all results");
    }

    private static async Task<List<string>> ListAsync(TaskReader reader, TaskState state, int limit)
    {
        var listed = new List<string>();
        var next = "";
        do
        {
            var reply = await reader.ListAsync(EngineHarness.Owner, "g", state, limit, next);
            reply.Tasks.Count.ShouldBeLessThanOrEqualTo(limit);
            listed.AddRange(reply.Tasks.Select(task => task.TaskId));
            next = reply.Next;
        }
        while (next.Length > 0);
        return listed;
    }
}
