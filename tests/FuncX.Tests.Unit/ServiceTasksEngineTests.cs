using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

public sealed class ServiceTasksEngineTests
{
    private static readonly byte[] _value = [.. "42"u8];

    [Fact]
    public async Task A_task_goes_to_the_link_and_its_result_to_the_stream()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(3);
        var sent = await harness.TakeAsync(link);
        sent.Tasks.ShouldBe([.. Enumerable.Range(0, 3).Select(index => (new TaskId(batch.Key.Id, (uint)index), (ushort)1))]);
        using var receiver = harness.Receiver(link);
        await receiver.ReceiveAsync(EngineHarness.Message(1, [.. sent.Tasks.Select(task => (task.Task, task.Attempt, TaskOutcome.Value, _value))]), inline: true);
        (await harness.TakeAsync(link)).Acknowledged.ShouldBe(1ul);
        var chunks = await harness.ReadAsync();
        var chunk = chunks.ShouldHaveSingleItem();
        chunk.Index.ShouldBe([0u, 1u, 2u]);
        chunk.Bodies.ToStringUtf8().ShouldBe("424242");
        chunk.Ran.ShouldBe([1_000L, 1_000L, 1_000L]);
    }

    [Fact]
    public async Task The_same_batch_again_is_answered_as_before_and_other_content_is_refused_also_after_it_ended_and_after_a_restart()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = harness.Batch(2, content: 1);
        (await harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        await AskAgain();
        using var receiver = harness.Receiver(link);
        var sent = await harness.TakeAsync(link);
        await receiver.ReceiveAsync(EngineHarness.Message(1, [.. sent.Tasks.Select(task => (task.Task, task.Attempt, TaskOutcome.Value, _value))]), inline: true);
        await AskAgain();
        harness.Restart();
        await AskAgain();

        async Task AskAgain()
        {
            (await harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.AcceptedBefore);
            var other = await harness.Engine.SubmitAsync(batch with { Content = 2 }, "e", "f", inline: true);
            other.Status.ShouldBe(StatusCode.AlreadyExists);
        }
    }

    [Fact]
    public async Task The_same_batch_is_known_also_in_the_turn_that_moves_it_to_the_index()
    {
        using var harness = new EngineHarness();
        // So many finished ones go there with the next turn.
        var batches = Enumerable.Range(0, 8_192).Select(_ => harness.Batch(1, content: 1)).ToList();
        await Task.WhenAll(batches.Select(batch => harness.Engine.SubmitAsync(batch, "e", "f", inline: false).AsTask()));
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
        (await harness.Engine.SubmitAsync(batches[5], "e", "f", inline: true)).ShouldBe(SubmitOutcome.AcceptedBefore);
        harness.Store.Index.Newest.ShouldBe(1);
        (await harness.Engine.LookAsync(static state => (state.Unfinished, state.Batches.Count))).ShouldBe((0, 0));
    }

    [Fact]
    public async Task A_lost_attempt_is_tried_again_until_the_attempts_are_used_up()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(1, attempts: 2);
        using var receiver = harness.Receiver(link);
        var task = new TaskId(batch.Key.Id, 0);
        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)1)]);
        await receiver.ReceiveAsync(EngineHarness.Message(1, (task, 1, TaskOutcome.AttemptLost, [])), inline: true);
        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)2)]);
        await receiver.ReceiveAsync(EngineHarness.Message(2, (task, 2, TaskOutcome.AttemptLost, [])), inline: true);
        (await harness.TakeAsync(link)).Tasks.ShouldBeEmpty();
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Lost });
    }

    [Fact]
    public async Task A_task_lost_twice_runs_alone_and_one_that_endpoints_forgot_does_not()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(2);
        var (lost, forgotten) = (new TaskId(batch.Key.Id, 0), new TaskId(batch.Key.Id, 1));
        var link = await harness.ConnectAsync("one");
        (await harness.TakeAsync(link)).Alone.ShouldBeEmpty();
        using (var receiver = harness.Receiver(link))
        {
            await receiver.ReceiveAsync(EngineHarness.Message(1, (lost, 1, TaskOutcome.AttemptLost, [])), inline: true);
            (await harness.TakeAsync(link)).Alone.ShouldBeEmpty();
            await receiver.ReceiveAsync(EngineHarness.Message(2, (lost, 2, TaskOutcome.AttemptLost, [])), inline: true);
            // Said again, as after a broken link: it is one loss, not two.
            await receiver.ReceiveAsync(EngineHarness.Message(3, (lost, 2, TaskOutcome.AttemptLost, [])), inline: true);
            (await harness.TakeAsync(link)).Alone.ShouldBe([lost]);
        }

        foreach (var instance in new[] { "two", "three", "four" })
        {
            link = await harness.ConnectAsync(instance);
            var sent = await harness.TakeAsync(link);
            sent.Tasks.Select(static task => task.Task).ShouldBe([lost, forgotten], ignoreOrder: true);
            sent.Alone.ShouldBe([lost]);
        }
    }

    [Fact]
    public async Task Five_endpoint_processes_that_forget_a_task_do_not_end_it()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1);
        var task = new TaskId(batch.Key.Id, 0);
        for (ushort attempt = 1; attempt <= 6; attempt++)
            (await harness.TakeAsync(await harness.ConnectAsync($"process {attempt}"))).Tasks.ShouldBe([(task, attempt)]);

        var link = await harness.ConnectAsync("last", new InventoryEntry(task, 6, HeldState.Running));
        using var receiver = harness.Receiver(link);
        await receiver.ReceiveAsync(EngineHarness.Message(1, (task, 6, TaskOutcome.Value, _value)), inline: true);
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Value });
    }

    [Fact]
    public async Task A_task_that_every_endpoint_process_forgets_ends_after_ten_executions_for_each_loss_it_may_have()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1, attempts: 2);
        var task = new TaskId(batch.Key.Id, 0);
        var executions = 0;
        while (executions < 100 && (await harness.TakeAsync(await harness.ConnectAsync($"process {executions}"))).Tasks.Count > 0)
            executions++;
        executions.ShouldBe(20);
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Lost });
    }

    [Fact]
    public async Task A_stopping_endpoint_is_sent_nothing_more_and_what_it_gives_back_waits_for_the_next_with_its_attempt()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(3, attempts: 1);
        var ids = Enumerable.Range(0, 3).Select(index => new TaskId(batch.Key.Id, (uint)index)).ToList();
        var link = await harness.ConnectAsync("one");
        (await harness.TakeAsync(link)).Tasks.Count.ShouldBe(3);
        using var receiver = harness.Receiver(link);

        harness.Engine.Drain(link);
        receiver.TakeBack(EngineHarness.Returned((ids[0], 9), (ids[1], 1), (ids[2], 1)));
        var later = new TaskId((await harness.SubmitAsync(1)).Key.Id, 0);

        (await harness.TakeAsync(link)).Tasks.ShouldBeEmpty();
        var next = await harness.ConnectAsync("two");
        // One was given back under another attempt: this one may have run.
        (await harness.TakeAsync(next)).Tasks.ShouldBe([(ids[1], (ushort)1), (ids[2], (ushort)1), (later, (ushort)1)]);
    }

    [Fact]
    public async Task A_task_that_may_run_once_is_lost_when_a_new_process_does_not_have_it()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1, attempts: 1);
        var task = new TaskId(batch.Key.Id, 0);
        (await harness.TakeAsync(await harness.ConnectAsync("one"))).Tasks.Count.ShouldBe(1);
        (await harness.TakeAsync(await harness.ConnectAsync("two"))).Tasks.ShouldBeEmpty();
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Lost });
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(9, 3)]
    public async Task An_endpoint_may_allow_fewer_losses_than_a_task_asks_for(ushort endpointAllows, int executions)
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1, attempts: 3);
        var task = new TaskId(batch.Key.Id, 0);
        var link = await harness.ConnectAsync(new LinkSession(EngineHarness.Owner, "ann", "one", "1.0") { MaxAttempts = endpointAllows });
        using var receiver = harness.Receiver(link);
        for (ushort attempt = 1; attempt <= executions; attempt++)
        {
            (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, attempt)]);
            await receiver.ReceiveAsync(EngineHarness.Message(attempt, (task, attempt, TaskOutcome.AttemptLost, [])), inline: true);
        }

        (await harness.TakeAsync(link)).Tasks.ShouldBeEmpty();
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Lost });
    }

    [Fact]
    public async Task An_execution_that_its_nodes_end_cut_off_is_none_of_the_losses_a_task_may_have_and_yet_not_for_ever()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1, attempts: 2);
        var task = new TaskId(batch.Key.Id, 0);
        var link = await harness.ConnectAsync();
        using var receiver = harness.Receiver(link);
        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)1)]);
        await receiver.ReceiveAsync(EngineHarness.Message(1, (task, 1, TaskOutcome.AttemptLost, [])), inline: true);
        for (ushort attempt = 2; attempt < 20; attempt++)
        {
            var sent = await harness.TakeAsync(link);
            sent.Tasks.ShouldBe([(task, attempt)]);
            sent.Alone.ShouldBeEmpty("one loss is known, and none of what was cut off");
            await receiver.ReceiveAsync(EngineHarness.CutOff(attempt, task, attempt), inline: true);
        }

        // Ten times as often as it has attempts.
        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)20)]);
        await receiver.ReceiveAsync(EngineHarness.CutOff(20, task, 20), inline: true);
        (await harness.TakeAsync(link)).Tasks.ShouldBeEmpty();
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Lost });
    }

    [Fact]
    public async Task Also_one_with_more_output_than_a_frame_holds()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1, attempts: 2);
        var task = new TaskId(batch.Key.Id, 0);
        var link = await harness.ConnectAsync();
        using var receiver = harness.Receiver(link);
        await harness.TakeAsync(link);
        foreach (var message in EngineHarness.Messages((task, 1, TaskOutcome.AttemptLost, new byte[600_000])))
        {
            var frame = message.Frames.ToByteArray();
            if (message.Sequence == 1)
                frame[FrameHeader.FlagsOffset] |= (byte)FrameFlags.CutOff;
            message.Frames = Google.Protobuf.ByteString.CopyFrom(frame);
            await receiver.ReceiveAsync(message, inline: true);
        }

        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)2)]);
        await receiver.ReceiveAsync(EngineHarness.Message(100, (task, 2, TaskOutcome.AttemptLost, [])), inline: true);
        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)3)], customMessage: "one loss is known of the two that it may have");
    }

    [Fact]
    public async Task A_task_that_may_run_once_ends_when_it_is_cut_off()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1, attempts: 1);
        var task = new TaskId(batch.Key.Id, 0);
        var link = await harness.ConnectAsync();
        using var receiver = harness.Receiver(link);
        (await harness.TakeAsync(link)).Tasks.ShouldBe([(task, (ushort)1)]);
        await receiver.ReceiveAsync(EngineHarness.CutOff(1, task, 1), inline: true);
        (await harness.TakeAsync(link)).Tasks.ShouldBeEmpty();
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Lost });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Losses_outlive_a_restart_of_the_service(bool snapshot)
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(2);
        var (running, task) = (new TaskId(batch.Key.Id, 0), new TaskId(batch.Key.Id, 1));
        for (ushort attempt = 1; attempt <= 3; attempt++)
        {
            var link = await harness.ConnectAsync("one", new InventoryEntry(running, 1, HeldState.Running));
            var sent = await harness.TakeAsync(link);
            sent.Tasks.ShouldContain((task, attempt));
            sent.Alone.ShouldBe(attempt == 3 ? [task] : []);
            using var receiver = harness.Receiver(link);
            await receiver.ReceiveAsync(EngineHarness.Message(attempt, (task, attempt, TaskOutcome.AttemptLost, [])), inline: true);
            if (snapshot)
                await harness.Engine.SnapshotAsync();
            harness.Restart();
        }

        using var last = harness.Receiver(await harness.ConnectAsync("one", new InventoryEntry(running, 1, HeldState.Running)));
        await last.ReceiveAsync(EngineHarness.Message(1, (running, 1, TaskOutcome.Value, _value)), inline: true);
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [running] = Outcome.Value, [task] = Outcome.Lost }, ignoreOrder: true);
    }

    [Fact]
    public void A_snapshot_of_another_release_is_refused_with_both_versions()
    {
        var bytes = SnapshotCodec.Write(new LiveState()).Written.ToArray();
        bytes[0]++;
        Should.Throw<ChunkException>(() => SnapshotCodec.Read(bytes)).Message.ShouldBe($"snapshot has version {bytes[0]}; this release reads 1 to {bytes[0] - 1}");
    }

    [Fact]
    public async Task A_snapshot_without_losses_is_read()
    {
        using var harness = new EngineHarness();
        await harness.SubmitAsync(3);
        var bytes = await harness.Engine.PictureAsync();
        // The only run of tasks stands at the end: how many, their state, the attempt, the losses, the retries.
        bytes[^5..].ShouldBe([3, 0, 1, 0, 0]);
        var state = SnapshotCodec.Read([1, .. bytes[1..^2]]);
        state.Unfinished.ShouldBe(3);
        SnapshotCodec.Write(state).Written.ToArray().ShouldBe(bytes);
    }

    [Fact]
    public async Task A_late_result_of_an_earlier_attempt_is_taken_and_a_second_one_dropped()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(1);
        using var receiver = harness.Receiver(link);
        var task = new TaskId(batch.Key.Id, 0);
        await receiver.ReceiveAsync(EngineHarness.Message(1, (task, 1, TaskOutcome.AttemptLost, [])), inline: true);
        await receiver.ReceiveAsync(EngineHarness.Message(2, (task, 1, TaskOutcome.Value, _value)), inline: true);
        await receiver.ReceiveAsync(EngineHarness.Message(3, (task, 2, TaskOutcome.Exception, _value)), inline: true);
        (await harness.TakeAsync(link)).Acknowledged.ShouldBe(3ul);
        EngineHarness.Outcomes(await harness.ReadAsync()).ShouldBe(new Dictionary<TaskId, Outcome> { [task] = Outcome.Value });
    }

    [Fact]
    public async Task A_new_process_loses_what_it_does_not_hold_and_the_same_process_never_had_it()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(3);
        var first = await harness.ConnectAsync("one");
        (await harness.TakeAsync(first)).Tasks.Count.ShouldBe(3);
        var held = new InventoryEntry(new TaskId(batch.Key.Id, 1), 1, HeldState.Running);
        var again = await harness.ConnectAsync("one", held);
        (await harness.TakeAsync(first)).Superseded.ShouldBeTrue();
        again.Epoch.ShouldBe(first.Epoch + 1);
        (await harness.TakeAsync(again)).Tasks.ShouldBe([(new TaskId(batch.Key.Id, 0), (ushort)1), (new TaskId(batch.Key.Id, 2), (ushort)1)]);
        harness.Restart();
        var other = await harness.ConnectAsync("two", held);
        other.Epoch.ShouldBe(first.Epoch + 2);
        (await harness.TakeAsync(other)).Tasks.ShouldBe([(new TaskId(batch.Key.Id, 0), (ushort)2), (new TaskId(batch.Key.Id, 2), (ushort)2)]);
    }

    [Fact]
    public async Task An_inventory_entry_that_the_service_does_not_know_is_cancelled()
    {
        using var harness = new EngineHarness();
        var unknown = new TaskId(BatchId.New(1), 0);
        var link = await harness.ConnectAsync("one", new InventoryEntry(unknown, 1, HeldState.Queued));
        (await harness.TakeAsync(link)).Cancels.ShouldBe([unknown]);
    }

    [Fact]
    public async Task Cancel_ends_queued_tasks_at_once_asks_for_sent_ones_and_leaves_ended_ones()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var sent = await harness.SubmitAsync(2, "sent");
        using var receiver = harness.Receiver(link);
        await receiver.ReceiveAsync(EngineHarness.Message(1, (new TaskId(sent.Key.Id, 0), 1, TaskOutcome.Value, _value)), inline: true);
        (await harness.Engine.CancelAsync(EngineHarness.Owner, [new TaskId(sent.Key.Id, 0), new TaskId(sent.Key.Id, 1)], null)).ShouldBe(1);
        (await harness.TakeAsync(link)).Cancels.ShouldBe([new TaskId(sent.Key.Id, 1)]);
        (await harness.Engine.CancelAsync(EngineHarness.Owner + 1, [new TaskId(sent.Key.Id, 1)], "sent")).ShouldBe(0);
        harness.Engine.Disconnect(link);
        EngineHarness.Outcomes(await harness.ReadAsync("sent"))[new TaskId(sent.Key.Id, 1)].ShouldBe(Outcome.Cancelled);
        var queued = await harness.SubmitAsync(5, "queued");
        (await harness.Engine.CancelAsync(EngineHarness.Owner, [], "queued")).ShouldBe(5);
        EngineHarness.Outcomes(await harness.ReadAsync("queued")).Values.ShouldAllBe(outcome => outcome == Outcome.Cancelled);
        queued.Count.ShouldBe(5);
    }

    [Fact]
    public async Task A_cancel_that_was_answered_holds_after_a_restart()
    {
        using var harness = new EngineHarness();
        await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(1);
        (await harness.Engine.CancelAsync(EngineHarness.Owner, [new TaskId(batch.Key.Id, 0)], null)).ShouldBe(1);
        harness.Restart();
        EngineHarness.Outcomes(await harness.ReadAsync()).Values.ShouldBe([Outcome.Cancelled]);
    }

    [Fact]
    public async Task A_deleted_endpoint_ends_its_tasks_and_takes_no_more()
    {
        using var harness = new EngineHarness();
        await harness.SubmitAsync(4);
        await harness.Engine.EndpointDeletedAsync(EngineHarness.Endpoint, "lab");
        EngineHarness.Outcomes(await harness.ReadAsync()).Values.ShouldAllBe(outcome => outcome == Outcome.Cancelled);
        harness.Restart();
        (await harness.Engine.SubmitAsync(harness.Batch(1), "e", "f", inline: true)).Status.ShouldBe(StatusCode.NotFound);
    }

    [Fact]
    public async Task A_deadline_that_passes_ends_queued_tasks_as_expired()
    {
        using var harness = new EngineHarness();
        var batch = harness.Batch(2, deadline: harness.Engine.Now + 1_000_000);
        await harness.Engine.SubmitAsync(batch, "e", "f", inline: true);
        harness.Time.Advance(TimeSpan.FromSeconds(3));
        EngineHarness.Outcomes(await harness.ReadAsync()).Values.ShouldBe([Outcome.Expired, Outcome.Expired]);
    }

    [Fact]
    public async Task Higher_priority_goes_first_within_an_owner_and_credit_bounds_what_is_sent()
    {
        using var harness = new EngineHarness();
        var low = harness.Batch(2, priority: 1);
        var high = harness.Batch(2, priority: 9);
        await harness.Engine.SubmitAsync(low, "e", "f", inline: true);
        await harness.Engine.SubmitAsync(high, "e", "f", inline: true);
        var link = new Service.Links.LinkSession(EngineHarness.Owner, "ann", "one", "1");
        await harness.Engine.ConnectAsync(link, EngineHarness.Endpoint, "x");
        await harness.Engine.ReconcileAsync(link, []);
        (await harness.TakeAsync(link)).Tasks.ShouldBeEmpty();
        harness.Engine.Credit(link, 3, 1 << 20, inline: true);
        (await harness.TakeAsync(link)).Tasks.Select(task => task.Task).ShouldBe(
            [new TaskId(high.Key.Id, 0), new TaskId(high.Key.Id, 1), new TaskId(low.Key.Id, 0)]);
    }

    [Fact]
    public async Task Queue_limits_refuse_with_their_names_and_values()
    {
        using var harness = new EngineHarness(limits: new ServiceLimits { QueuePerEndpoint = 10, QueuePerUser = 12 });
        await harness.SubmitAsync(8);
        var refused = await harness.Engine.SubmitAsync(harness.Batch(3), "lab", "f", inline: true);
        refused.Status.ShouldBe(StatusCode.ResourceExhausted);
        refused.Message.ShouldContain("queue_per_endpoint is 10");
        refused.Message.ShouldContain("lab");
        await harness.SubmitAsync(2);
        refused = await harness.Engine.SubmitAsync(harness.Batch(3) with { Endpoint = 4 }, "lab", "f", inline: true);
        refused.Message.ShouldContain("queue_per_user is 12");
    }

    [Fact]
    public async Task A_large_body_is_kept_and_a_result_above_the_limit_becomes_too_large()
    {
        using var harness = new EngineHarness(limits: new ServiceLimits { ResultBytes = 1 << 20 });
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(2);
        using var receiver = harness.Receiver(link);
        var large = new byte[900_000];
        Random.Shared.NextBytes(large);
        foreach (var message in EngineHarness.Messages((new TaskId(batch.Key.Id, 0), 1, TaskOutcome.Value, large), (new TaskId(batch.Key.Id, 1), 1, TaskOutcome.Value, new byte[2 << 20])))
            await receiver.ReceiveAsync(message, inline: true);
        harness.Restart();
        var chunks = await harness.ReadAsync();
        var outcomes = EngineHarness.Outcomes(chunks);
        outcomes[new TaskId(batch.Key.Id, 0)].ShouldBe(Outcome.Value);
        outcomes[new TaskId(batch.Key.Id, 1)].ShouldBe(Outcome.TooLarge);
        chunks[0].Bodies.Span[..large.Length].SequenceEqual(large).ShouldBeTrue();
    }

    [Fact]
    public async Task A_stream_resumes_behind_its_cursor_also_after_a_restart_and_from_the_index()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        using (var receiver = harness.Receiver(link))
        {
            for (var round = 0ul; round < 20; round++)
            {
                // Too large for two to share a message.
                await harness.SubmitAsync(300);
                var sent = await harness.TakeAsync(link);
                await receiver.ReceiveAsync(EngineHarness.Message(round + 1, [.. sent.Tasks.Select(task => (task.Task, task.Attempt, TaskOutcome.Value, _value))]), inline: true);
            }
        }

        var all = await harness.ReadAsync();
        all.Count.ShouldBe(20);
        var half = all[9].Cursor;
        (await harness.ReadAsync(cursor: half)).ShouldBe(all[10..]);
        harness.Restart();
        (await harness.ReadAsync(cursor: half)).ShouldBe(all[10..]);
        await harness.Engine.IndexAllAsync();
        (await harness.ReadAsync()).ShouldBe(all);
        harness.Restart();
        (await harness.ReadAsync()).ShouldBe(all);
        (await harness.ReadAsync(cursor: half)).ShouldBe(all[10..]);
    }

    [Fact]
    public async Task Results_of_small_batches_share_a_message_and_those_that_say_more_have_their_own()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var expected = new List<(TaskId Task, string Value)>();
        var sequence = 0ul;
        using (var receiver = harness.Receiver(link))
        {
            foreach (var (count, outcome) in new[]
            {
                (2, TaskOutcome.Value), (1, TaskOutcome.Value), (3, TaskOutcome.Value), (1, TaskOutcome.Exception), (1, TaskOutcome.Value), (1, TaskOutcome.Value), (600, TaskOutcome.Value),
                (300, TaskOutcome.Value), (200, TaskOutcome.Value), (100, TaskOutcome.Value),
            })
            {
                await harness.SubmitAsync(count);
                var sent = await harness.TakeAsync(link);
                var results = sent.Tasks.Select(task => (task.Task, task.Attempt, outcome, Value: $"{sequence}.{task.Task.Index}")).ToList();
                await receiver.ReceiveAsync(EngineHarness.Message(++sequence, [.. results.Select(static result => (result.Task, result.Attempt, result.outcome, System.Text.Encoding.ASCII.GetBytes(result.Value)))]), inline: true);
                expected.AddRange(results.Select(static result => (result.Task, result.Value)));
            }
        }

        foreach (var restarted in new[] { false, true })
        {
            var chunks = await harness.ReadAsync();
            chunks.Select(static chunk => string.Join('+', chunk.Counts)).ShouldBe(["2+1+3", "", "1+1", "", "300+200", ""], $"restarted: {restarted}");
            chunks.SelectMany(static chunk => EngineHarness.Values(chunk)).ShouldBe(expected);
            chunks[1].Outcomes.ShouldBe([(uint)Outcome.Exception]);
            foreach (var chunk in chunks)
            {
                var rest = await harness.ReadAsync(cursor: chunk.Cursor);
                rest.SelectMany(static next => EngineHarness.Values(next)).ShouldBe(expected.Skip(expected.Count - rest.Sum(static next => next.Index.Count)));
                rest.Sum(static next => next.Index.Count).ShouldBe(chunks.SkipWhile(next => !ReferenceEquals(next, chunk)).Skip(1).Sum(static next => next.Index.Count));
            }

            harness.Restart();
            await harness.Engine.IndexAllAsync();
        }
    }
}
