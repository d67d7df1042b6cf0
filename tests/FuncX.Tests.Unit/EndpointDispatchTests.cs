using System.Diagnostics;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointDispatchTests
{
    private static readonly BatchId Batch = EndpointSystem.Batch;

    [Fact]
    public async Task A_task_goes_from_the_service_to_a_manager_and_its_result_back()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (_, link, manager) = system;
        await system.TasksAsync(0, 1, 16);

        var owner = await manager.ReadAsync();
        owner.Header.Kind.ShouldBe(FrameKind.Owner);
        var function = await manager.ReadAsync();
        function.Header.Kind.ShouldBe(FrameKind.Function);
        System.Text.Encoding.UTF8.GetString(function.Body).ShouldContain("def f()");
        var task = await manager.ReadAsync();
        task.Header.Kind.ShouldBe(FrameKind.Task);
        task.Header.Task.ShouldBe(new TaskId(Batch, 0));
        task.Header.Function.ShouldBe(function.Header.Function);
        task.Header.Owner.ShouldBe(owner.Header.Owner);

        await manager.AnswerAsync(task.Header, "42"u8);
        await manager.MarkAsync(1);
        var results = await link.ResultsAsync();
        results.Sequence.ShouldBe(1UL);
        var (header, body) = results.Frames.ShouldHaveSingleItem();
        header.Task.ShouldBe(new TaskId(Batch, 0));
        var prefix = ResultPrefix.Read(body, body.Length);
        prefix.EndpointReceived.ShouldBeGreaterThan(0);
        prefix.EndpointSent.ShouldBeGreaterThanOrEqualTo(prefix.EndpointReceived);
        prefix.EndpointBack.ShouldBeGreaterThanOrEqualTo(prefix.EndpointSent);
        body.AsSpan(ResultPrefix.Size).SequenceEqual("42"u8).ShouldBeTrue();

        await link.AckAsync(1);
        var ack = await manager.ReadAsync();
        ack.Header.Kind.ShouldBe(FrameKind.Ack);
        BitConverter.ToUInt64(ack.Body).ShouldBe(1UL);
    }

    [Fact]
    public async Task Large_arguments_and_results_travel_in_segments_and_arrive_whole()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (_, link, manager) = system;
        await system.TasksAsync(5, 1, 1_000_000);
        var (task, body) = await manager.ReadAsync(FrameKind.Task);
        task.Flags.HasFlag(FrameFlags.Segmented).ShouldBeTrue();
        var whole = BitConverter.ToInt64(body);
        whole.ShouldBe(1_000_000);
        BitConverter.ToUInt32(body, 8).ShouldBe(5U);
        long got = body.Length - 8;
        while (got < whole)
        {
            var segment = await manager.ReadAsync(FrameKind.Segment);
            segment.Header.Ticket.ShouldBe(task.Ticket);
            got += segment.Body.Length;
        }

        var value = new byte[900_000];
        Random.Shared.NextBytes(value);
        await manager.AnswerAsync(task, value);
        var frames = new List<byte>();
        while (frames.Count < value.Length + ResultPrefix.Size)
        {
            foreach (var (header, part) in (await link.ResultsAsync()).Frames)
                frames.AddRange(header.Kind == FrameKind.Result ? part[8..] : part);
        }

        ResultPrefix.Read(frames.ToArray(), frames.Count).EndpointBack.ShouldBeGreaterThan(0);
        frames.Skip(ResultPrefix.Size).ShouldBe(value);
    }

    [Fact]
    public async Task A_running_task_is_cancelled_at_its_manager_and_a_waiting_one_here()
    {
        await using var system = await EndpointSystem.StartAsync(c => c with { Workers = c.Workers with { PerNode = 1, Prefetch = 0 } });
        var (_, link, manager) = system;
        await system.TasksAsync(0, 2);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        var ids = new byte[2 * TaskId.Size];
        new TaskId(Batch, 0).Write(ids);
        new TaskId(Batch, 1).Write(ids.AsSpan(TaskId.Size));
        await link.SendAsync(new Contracts.V1.ServiceMessage { Cancel = new Contracts.V1.LinkCancel { Tasks = Google.Protobuf.ByteString.CopyFrom(ids) } });
        var (cancel, _) = await manager.ReadAsync(FrameKind.Cancel);
        cancel.Task.ShouldBe(task.Task);
        cancel.Ticket.ShouldBe(task.Ticket);
        var (header, body) = (await link.ResultsAsync()).Frames.ShouldHaveSingleItem();
        header.Task.Index.ShouldBe(1U);
        ResultPrefix.Read(body, body.Length).Outcome.ShouldBe(TaskOutcome.Cancelled);
    }

    [Fact]
    public async Task Ten_thousand_tasks_over_two_managers_all_come_back_once()
    {
        const int Count = 10_000;
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        await using var first = await endpoint.ManagerAsync("m1");
        await using var second = await endpoint.ManagerAsync("m2");
        var answering = new[] { EchoAsync(first), EchoAsync(second) };
        await link.TellAsync();
        var sending = SendAsync();
        var seen = new HashSet<uint>();
        var sequence = 0UL;
        while (seen.Count < Count)
        {
            var (number, frames) = await link.ResultsAsync();
            number.ShouldBe(++sequence);
            foreach (var (header, body) in frames)
            {
                seen.Add(header.Task.Index).ShouldBeTrue();
                BitConverter.ToUInt32(body, ResultPrefix.Size).ShouldBe(header.Task.Index);
            }

            await link.AckAsync(number);
        }

        await sending;
        await first.DisposeAsync();
        await second.DisposeAsync();
        await Task.WhenAll(answering);

        async Task SendAsync()
        {
            await Task.Yield();
            for (uint i = 0; i < Count; i += 500)
                await link.TasksAsync(Batch, i, 500, 100);
        }
    }

    [Fact]
    public async Task Every_unbroken_frame_of_a_bad_message_ends_the_link_and_nothing_else()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var link = system.Link;
        await link.SendAsync(new Contracts.V1.ServiceMessage { Tasks = new Contracts.V1.LinkTasks { Frames = Google.Protobuf.ByteString.CopyFrom(new byte[100]) } });
        await system.Service.LinkAsync(2);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(600_000)]
    public async Task Of_tasks_that_run_at_a_stop_values_are_told_and_interruptions_are_not(int interruptionBytes)
    {
        await using var system = await EndpointSystem.StartAsync();
        var (endpoint, link, manager) = system;
        await system.TasksAsync(0, 2);
        var (interrupted, _) = await manager.ReadAsync(FrameKind.Task);
        var (finished, _) = await manager.ReadAsync(FrameKind.Task);

        var stopping = endpoint.StopAsync();
        await link.TasksAsync(Batch, 2, 1, 8);
        (await link.ReturnedAsync()).ShouldBe([new TaskId(Batch, 2)]);
        await manager.AnswerAsync(interrupted, new byte[interruptionBytes], TaskOutcome.AttemptLost);
        await manager.AnswerAsync(finished, "42"u8);
        await manager.MarkAsync(1);

        var (sequence, frames) = await link.ResultsAsync();
        frames.ShouldHaveSingleItem().Header.Task.ShouldBe(finished.Task);
        await link.AckAsync(sequence);
        // As when its block ends: a listener waits for its connections.
        await manager.DisposeAsync();
        await stopping;
        endpoint.Spooled().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stopping_endpoint_asks_for_no_more_tasks()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (endpoint, link, manager) = system;
        await system.TasksAsync(0, 1);
        var (running, _) = await manager.ReadAsync(FrameKind.Task);
        var stopping = endpoint.StopAsync();
        await link.TasksAsync(Batch, 1, 1, 8);
        await link.ReturnedAsync();
        var granted = link.Credit;

        // More than an eighth of the window, which would be worth a new grant.
        await link.TasksAsync(Batch, 2, 1_000, 8);
        (await link.ReturnedAsync()).Count.ShouldBe(1_000);
        await manager.AnswerAsync(running, "42"u8);
        await link.AckAsync((await link.ResultsAsync()).Sequence);

        await manager.DisposeAsync();
        await stopping;
        link.Credit.ShouldBe(granted);
    }

    private static async Task EchoAsync(PlayedManager manager)
    {
        try
        {
            var mark = 0UL;
            while (true)
            {
                var (header, body) = await manager.ReadAsync(FrameKind.Task);
                await manager.AnswerAsync(header, body);
                if (++mark % 100 == 0)
                    await manager.MarkAsync(mark / 100);
            }
        }
        catch (Exception end) when (end is IOException or ObjectDisposedException or OperationCanceledException)
        {
            Debug.WriteLine(end.Message);
        }
    }
}
