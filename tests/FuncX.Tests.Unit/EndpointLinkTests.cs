using FuncX.Configuration;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.ServiceLink;
using FuncX.Endpoint.Spool;
using FuncX.Providers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointLinkTests
{
    private static readonly BatchId Batch = EndpointSystem.Batch;

    [Fact]
    public async Task Results_that_were_not_committed_are_sent_again_on_the_next_link_and_stand_in_its_inventory()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (_, link, manager) = system;
        await system.TasksAsync(0, 2);
        var (first, _) = await manager.ReadAsync(FrameKind.Task);
        await manager.ReadAsync(FrameKind.Task);
        await manager.AnswerAsync(first, "1"u8.ToArray());
        await manager.MarkAsync(1);
        await link.ResultsAsync();
        link.Over.SetResult();

        var next = await system.Service.LinkAsync(2);
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
        await using var system = await EndpointSystem.StartAsync();
        var (endpoint, _, manager) = system;
        await system.TasksAsync(0, 2);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        await system.EndServiceAsync();
        await manager.AnswerAsync(task, "1"u8.ToArray());
        await manager.MarkAsync(9);
        BitConverter.ToUInt64((await manager.ReadAsync(FrameKind.Ack)).Body).ShouldBe(9UL);
        var spool = EndpointHarness.SpoolOf(endpoint.Directory, system.Service.Address);
        Directory.GetFiles(spool, "*.spool").ShouldHaveSingleItem();

        var next = await (await system.RestartServiceAsync()).LinkAsync(2);
        next.Inventory.ShouldContain(new InventoryEntry(task.Task, 1, HeldState.Finished));
        var (sequence, frames) = await next.ResultsAsync();
        frames.ShouldHaveSingleItem().Header.Task.ShouldBe(task.Task);
        await next.AckAsync(sequence);
        await Eventually.True(() => Directory.GetFiles(spool).Length == 0);
    }

    [Fact]
    public async Task A_result_that_comes_while_the_spool_is_read_for_an_inventory_stands_in_it()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (endpoint, link, manager) = system;
        await system.TasksAsync(0, 1);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        await system.EndServiceAsync();
        // A file of the spool that is read for as long as the test wants.
        var spool = EndpointHarness.SpoolOf(endpoint.Directory, system.Service.Address);
        Directory.CreateDirectory(spool);
        var file = Path.Combine(spool, "000000000001-elsewhere.spool");
        using (var made = System.Diagnostics.Process.Start("mkfifo", [file]))
            await made.WaitForExitAsync();

        var back = await system.RestartServiceAsync();
        var linking = back.LinkAsync(2, seconds: 30);
        var opened = await Task.Run(() => new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)).WaitAsync(TimeSpan.FromSeconds(30));
        await manager.AnswerAsync(task, "1"u8.ToArray());
        await manager.MarkAsync(9);
        var acknowledged = manager.ReadAsync(FrameKind.Ack, seconds: 30);
        await Eventually.True(() => endpoint.Loop.Snapshot.ResultsHeld == 1);
        // As once a second while there is no link. What came of it, if anything, is here by the time the manager hears of it.
        await endpoint.Loop.Run(static dispatcher => dispatcher.Link.SpoolHeld());
        await Task.WhenAny(acknowledged, Task.Delay(TimeSpan.FromSeconds(1)));
        await File.WriteAllBytesAsync(file + ".empty", []);
        File.Move(file + ".empty", file, overwrite: true);
        await opened.DisposeAsync();

        var next = await linking;
        next.Inventory.ShouldBe([new InventoryEntry(task.Task, 1, HeldState.Finished)]);
        var (sequence, frames) = await next.ResultsAsync();
        frames.ShouldHaveSingleItem().Header.Task.ShouldBe(task.Task);
        await next.AckAsync(sequence);
        await acknowledged;
    }

    [Fact]
    public async Task Results_made_for_one_service_are_not_sent_to_another_and_the_first_still_gets_them()
    {
        var directory = EndpointHarness.NewDirectory();
        await using var first = await PlayedService.StartAsync();
        var spool = EndpointHarness.SpoolOf(directory, first.Address);
        using (var store = new SpoolStore(spool, 1 << 20, Environment.MachineName, TimeProvider.System))
            store.Append([Result(0)], out _).ShouldBe(1);

        await using var second = await PlayedService.StartAsync();
        var elsewhere = await EndpointHarness.StartAsync(second.Address, directory);
        var link = await second.LinkAsync();
        link.Inventory.ShouldBeEmpty();
        await Eventually.True(() => elsewhere.Loop.Snapshot.SpoolOfOthers == spool);
        // A result of its own comes first and alone.
        var manager = await elsewhere.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 7, 1, 8);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        await manager.AnswerAsync(task, "1"u8.ToArray());
        var (sequence, frames) = await link.ResultsAsync();
        sequence.ShouldBe(1UL);
        frames.ShouldHaveSingleItem().Header.Task.Index.ShouldBe(7U);
        await link.AckAsync(sequence);
        Directory.GetFiles(spool).ShouldHaveSingleItem();
        await manager.DisposeAsync();
        await elsewhere.KillAsync();

        await using var back = await EndpointHarness.StartAsync(first.Address, directory);
        var own = await first.LinkAsync();
        own.Inventory.ShouldHaveSingleItem().Task.Index.ShouldBe(0U);
        (await own.ResultsAsync()).Frames.ShouldHaveSingleItem().Header.Task.Index.ShouldBe(0U);
        back.Loop.Snapshot.SpoolOfOthers.ShouldNotContain(spool);
    }

    [Fact]
    public async Task A_damaged_record_is_set_aside_and_what_stands_around_it_is_sent()
    {
        var directory = EndpointHarness.NewDirectory();
        await using var service = await PlayedService.StartAsync();
        var spool = EndpointHarness.SpoolOf(directory, service.Address);
        using (var store = new SpoolStore(spool, 1 << 20, Environment.MachineName, TimeProvider.System))
            store.Append([Result(0), Result(1), Result(2)], out _).ShouldBe(3);
        var path = Directory.GetFiles(spool).Single();
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[(bytes.Length / 2) + 20] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);

        await using var endpoint = await EndpointHarness.StartAsync(service.Address, directory);
        var link = await service.LinkAsync();
        link.Inventory.Select(entry => entry.Task.Index).ShouldBe([0U, 2U]);
        var sent = new List<uint>();
        while (sent.Count < 2)
        {
            var (sequence, frames) = await link.ResultsAsync();
            sent.AddRange(frames.Select(frame => frame.Header.Task.Index));
            await link.AckAsync(sequence);
        }

        sent.ShouldBe([0U, 2U]);
        await Eventually.True(() => Directory.GetFiles(spool).SingleOrDefault() == path + ".damaged");
    }

    [Fact]
    public async Task A_spool_that_is_full_stops_dispatch_and_says_so_until_the_service_is_back()
    {
        await using var system = await EndpointSystem.StartAsync(c => c with { Limits = c.Limits with { Spool = 10 }, Workers = c.Workers with { PerNode = 1, Prefetch = 0 } });
        var (endpoint, _, manager) = system;
        await system.TasksAsync(0, 3);
        var (first, _) = await manager.ReadAsync(FrameKind.Task);
        await system.EndServiceAsync();
        await manager.AnswerAsync(first, "1"u8.ToArray());
        await manager.MarkAsync(1);
        // The worker is free before anybody knows that its result has no room.
        var (second, _) = await manager.ReadAsync(FrameKind.Task);
        await Eventually.True(() => endpoint.Loop.Snapshot.Note.Contains("limits.spool", StringComparison.Ordinal));
        await manager.AnswerAsync(second, "2"u8.ToArray());
        await manager.MarkAsync(2);
        await Eventually.True(() => endpoint.Loop.Snapshot.Completed == 2);
        // Sent in the turn of the second result, were it sent: it is the only one, and the worker is free.
        var stopped = endpoint.Loop.Snapshot;
        stopped.Queued.ShouldBe(1);
        stopped.Running.ShouldBe(0);
        stopped.Note.ShouldContain("limits.spool");

        var next = await (await system.RestartServiceAsync()).LinkAsync(2);
        (await manager.ReadAsync(FrameKind.Task)).Header.Task.Index.ShouldBe(2U);
        var results = new List<uint>();
        while (results.Count < 2)
        {
            var (sequence, frames) = await next.ResultsAsync();
            results.AddRange(frames.Select(frame => frame.Header.Task.Index));
            await next.AckAsync(sequence);
        }

        results.ShouldBe([0U, 1U]);
        var acknowledged = 0UL;
        while (acknowledged < 2)
            acknowledged = BitConverter.ToUInt64((await manager.ReadAsync(FrameKind.Ack)).Body);
        await Eventually.True(() => endpoint.Loop.Snapshot.Note.Length == 0);
    }

    [Fact]
    public async Task A_stop_waits_for_results_that_are_stored_nowhere_until_they_are_or_it_is_forced()
    {
        await using var system = await EndpointSystem.StartAsync(c => c with { Limits = c.Limits with { Spool = 10 } });
        var (endpoint, _, manager) = system;
        await system.TasksAsync(0, 1);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);
        await system.EndServiceAsync();
        await manager.AnswerAsync(task, "1"u8.ToArray());
        await manager.MarkAsync(1);

        await Eventually.True(() => endpoint.Loop.Snapshot.Note.Contains("limits.spool", StringComparison.Ordinal));
        var stopping = endpoint.Lifetime.KeepResultsAsync(() => false);
        (await endpoint.Lifetime.KeepResultsAsync(() => true)).ShouldBe(1);
        stopping.IsCompleted.ShouldBeFalse();

        var next = await (await system.RestartServiceAsync()).LinkAsync(2);
        var (sequence, _) = await next.ResultsAsync();
        stopping.IsCompleted.ShouldBeFalse();
        await next.AckAsync(sequence);
        (await stopping.WaitAsync(TimeSpan.FromSeconds(10))).ShouldBe(0);
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
    public async Task An_endpoint_that_starts_again_does_not_wait_for_a_manager_that_was_gone_before()
    {
        var directory = EndpointHarness.NewDirectory();
        await using var service = await PlayedService.StartAsync();
        var before = await EndpointHarness.StartAsync(service.Address, directory, TwoNodes);
        var link = await service.LinkAsync();
        var (block, _) = await before.BlockAsync();
        var stays = await before.ManagerAsync("m1");
        var goes = await before.ManagerAsync("m2");
        await goes.DisposeAsync();
        var file = Path.Combine(directory, "blocks", block, "block.json");
        await Eventually.True(() => PrivateFile.ReadJson<BlockFile>(file) is { State: BlockState.Running, Missing: 1 }, seconds: 20);
        await before.KillAsync();
        await stays.DisposeAsync();
        link.Over.SetResult();

        await using var after = await EndpointHarness.StartAsync(service.Address, directory, TwoNodes);
        service.Links.Reader.TryRead(out var early).ShouldBeFalse();
        early.ShouldBeNull();
        await using var again = await after.ManagerAsync("m1");
        // Half of what it would wait for the other.
        await service.LinkAsync(2, seconds: 10);
        // In the other's place.
        await using var another = await after.ManagerAsync("m3");
        await Eventually.True(() => PrivateFile.ReadJson<BlockFile>(file)!.Missing == 0);

        static EndpointConfiguration TwoNodes(EndpointConfiguration c) => c with { Provider = c.Provider with { Nodes = 2 } };
    }

    [Fact]
    public async Task A_superseded_endpoint_stops_and_leaves_its_blocks()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
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
    public async Task A_loop_that_fails_ends_the_process_as_broken_and_leaves_its_blocks()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        await endpoint.BlockAsync();
        try
        {
            endpoint.Exit.IsBroken(endpoint.Loops).ShouldBeFalse();
            endpoint.Provider.Failure = new InvalidOperationException("a defect");
            await Eventually.True(() => endpoint.Stopping.IsCancellationRequested);
            endpoint.Exit.IsBroken(endpoint.Loops).ShouldBeTrue();
            endpoint.Exit.LeaveBlocks.ShouldBeTrue();
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
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        var credit = await CreditAsync(link);
        credit.Tasks.ShouldBe(4096UL);
        credit.Bytes.ShouldBe(64UL << 20);
        await system.TasksAsync(0, 1000);
        await using var manager = await endpoint.ManagerAsync();
        for (var i = 0; i < 600; i++)
        {
            var (task, _) = await manager.ReadAsync(FrameKind.Task);
            await manager.AnswerAsync(task, "1"u8.ToArray());
        }

        (await CreditAsync(link)).Tasks.ShouldBeGreaterThan(4096UL + 500);
    }

    private static HeldMessage Result(uint index)
    {
        var message = HeldMessage.New();
        var header = new FrameHeader { Kind = FrameKind.Result, Attempt = 1, Task = new TaskId(Batch, index), BodyLength = ResultPrefix.Size };
        var frame = new byte[header.FrameLength];
        header.Write(frame);
        new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Json }.Write(frame.AsSpan(FrameHeader.Size));
        message.Bytes = frame.Length;
        message.Results = 1;
        message.Frames.Add(new FrameSlice(PooledBuffer.Wrap(frame), 0, frame.Length));
        return message;
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
