using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Hosting;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointLinkTests
{
    private static readonly BatchId Batch = BatchId.New(1_700_000_000_000);

    [Fact]
    public async Task Results_that_were_not_committed_are_sent_again_on_the_next_link_and_stand_in_its_inventory()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
        await using var manager = await endpoint.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 2, 8);
        var (first, _) = await manager.ReadAsync(FrameKind.Task);
        await manager.ReadAsync(FrameKind.Task);
        await manager.AnswerAsync(first, "1"u8.ToArray());
        await manager.MarkAsync(1);
        await link.ResultsAsync();
        link.Over.SetResult();

        var next = await service.LinkAsync(2);
        next.Inventory.Select(entry => (entry.Task.Index, entry.State)).Order().ShouldBe([(0U, HeldState.Finished), (1U, HeldState.Running)]);
        var (sequence, frames) = await next.ResultsAsync();
        sequence.ShouldBe(1UL);
        frames.ShouldHaveSingleItem().Header.Task.Index.ShouldBe(0U);
        await next.AckAsync(1);
        await manager.ReadAsync(FrameKind.Ack);
    }

    [Fact]
    public async Task Results_are_spooled_while_the_service_is_away_and_sent_when_it_is_back()
    {
        var service = await PlayedService.StartAsync();
        var port = service.Port;
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
        await using var manager = await endpoint.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 2, 8);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        link.Over.SetResult();
        await service.DisposeAsync();
        await Eventually.True(() => !endpoint.Loop.Snapshot.Online);
        await manager.AnswerAsync(task, "1"u8.ToArray());
        await manager.MarkAsync(9);
        BitConverter.ToUInt64((await manager.ReadAsync(FrameKind.Ack)).Body).ShouldBe(9UL);
        Directory.GetFiles(Path.Combine(endpoint.Directory, "spool"), "*.spool").ShouldHaveSingleItem();

        await using var back = await PlayedService.StartAsync(port);
        var next = await back.LinkAsync(2);
        next.Inventory.ShouldContain(new InventoryEntry(task.Task, 1, HeldState.Finished));
        var (sequence, frames) = await next.ResultsAsync();
        frames.ShouldHaveSingleItem().Header.Task.ShouldBe(task.Task);
        await next.AckAsync(sequence);
        await Eventually.True(() => Directory.GetFiles(Path.Combine(endpoint.Directory, "spool")).Length == 0);
    }

    [Fact]
    public async Task A_spool_that_is_full_stops_dispatch_and_says_so_until_the_service_is_back()
    {
        var service = await PlayedService.StartAsync();
        var port = service.Port;
        await using var endpoint = await EndpointHarness.StartAsync(
            service.Address, EndpointHarness.NewDirectory(), c => c with { Limits = c.Limits with { Spool = 10 }, Workers = c.Workers with { PerNode = 1, Prefetch = 0 } });
        var link = await service.LinkAsync();
        await using var manager = await endpoint.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 2, 8);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        link.Over.SetResult();
        await service.DisposeAsync();
        await Eventually.True(() => !endpoint.Loop.Snapshot.Online);
        await manager.AnswerAsync(task, "1"u8.ToArray());
        await manager.MarkAsync(1);
        await Eventually.True(() => endpoint.Loop.Snapshot.Note.Contains("limits.spool", StringComparison.Ordinal));

        await using var back = await PlayedService.StartAsync(port);
        var next = await back.LinkAsync(2);
        var (sequence, frames) = await next.ResultsAsync();
        frames.ShouldHaveSingleItem().Header.Task.ShouldBe(task.Task);
        await next.AckAsync(sequence);
        (await manager.ReadAsync(FrameKind.Ack)).Body.Length.ShouldBe(8);
        await Eventually.True(() => endpoint.Loop.Snapshot.Note.Length == 0);
    }

    [Fact]
    public async Task An_endpoint_that_starts_again_tells_the_service_what_its_managers_and_its_spool_hold()
    {
        var directory = EndpointHarness.NewDirectory();
        await using var service = await PlayedService.StartAsync();
        var before = await EndpointHarness.StartAsync(service.Address, directory);
        var link = await service.LinkAsync();
        var manager = await before.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 2, 8);
        var (running, _) = await manager.ReadAsync(FrameKind.Task);
        await before.KillAsync();
        await manager.DisposeAsync();
        link.Over.SetResult();

        await using var after = await EndpointHarness.StartAsync(service.Address, directory);
        await using var again = await after.ManagerAsync("m1", new InventoryEntry(running.Task, 1, HeldState.Running));
        var next = await service.LinkAsync(2);
        next.Inventory.ShouldBe([new InventoryEntry(running.Task, 1, HeldState.Running)]);
        await again.AnswerAsync(running, "3"u8.ToArray());
        (await next.ResultsAsync()).Frames.ShouldHaveSingleItem().Header.Task.ShouldBe(running.Task);
    }

    [Fact]
    public async Task A_superseded_endpoint_stops_and_leaves_its_blocks()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
        try
        {
            await link.SendAsync(new ServiceMessage { Superseded = new Superseded { By = "another" } });
            await Eventually.True(() => endpoint.Stopping.IsCancellationRequested);
            endpoint.Exit.LeaveBlocks.ShouldBeTrue();
            endpoint.Exit.Message.ShouldContain("superseded");
            Environment.ExitCode.ShouldBe(ExitCode.Superseded);
        }
        finally
        {
            Environment.ExitCode = 0;
        }
    }

    [Fact]
    public async Task A_defect_in_the_loop_ends_the_endpoint_with_its_exit_code()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        await service.LinkAsync();
        try
        {
            // Not waited for: what broke the loop is never handled.
            _ = endpoint.Loop.Run(_ => throw new InvalidOperationException("a defect")).AsTask();
            await Eventually.True(() => endpoint.Stopping.IsCancellationRequested);
            Environment.ExitCode.ShouldBe(ExitCode.Broken);
        }
        finally
        {
            Environment.ExitCode = 0;
        }
    }

    [Fact]
    public async Task Credit_covers_what_managers_can_hold_and_grows_as_tasks_leave()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
        var credit = await CreditAsync(link);
        credit.Tasks.ShouldBe(4096UL);
        credit.Bytes.ShouldBe(64UL << 20);
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 1000, 8);
        await using var manager = await endpoint.ManagerAsync();
        for (var i = 0; i < 600; i++)
        {
            var (task, _) = await manager.ReadAsync(FrameKind.Task);
            await manager.AnswerAsync(task, "1"u8.ToArray());
        }

        (await CreditAsync(link)).Tasks.ShouldBeGreaterThan(4096UL + 500);
    }

    private static async Task<Credit> CreditAsync(PlayedLink link)
    {
        while (true)
        {
            var message = await link.ReadAsync();
            if (message.MessageCase == EndpointMessage.MessageOneofCase.Credit)
                return message.Credit;
        }
    }
}
