using System.Text;
using FuncX.Configuration;
using FuncX.Endpoint.Managers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointManagersTests
{
    private static readonly BatchId Batch = EndpointSystem.Batch;

    [Fact]
    public async Task A_wrong_secret_an_unknown_block_and_another_protocol_are_refused_by_name()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var (block, secret) = await endpoint.BlockAsync();
        (await RefusalAsync(endpoint, m => m.HelloAsync("m", block, secret + "x"))).ShouldContain("secret is not that of block");
        (await RefusalAsync(endpoint, m => m.HelloAsync("m", "elsewhere", secret))).ShouldContain("'elsewhere'");
        (await RefusalAsync(endpoint, m => m.HelloAsync("m", block, secret, 7, 9))).ShouldContain("9.9.9 and speaks 7 to 9");
        await using var good = await endpoint.ManagerAsync();
    }

    [Fact]
    public async Task The_secret_of_one_block_does_not_open_a_managers_place_in_another()
    {
        await using var system = await EndpointSystem.LinkedAsync(c => c with { Blocks = c.Blocks with { Min = 2, Max = 2 } });
        var (endpoint, link) = (system.Endpoint, system.Link);
        var blocks = await endpoint.BlocksAsync(2);
        await using var manager = await PlayedManager.DialAsync(endpoint.Address);
        await manager.HelloAsync("m1", blocks[0].Block, blocks[0].Secret);
        await manager.ReadAsync(FrameKind.Welcome);
        await manager.InventoryAsync();
        await system.TasksAsync(0, 1);
        var (task, _) = await manager.ReadAsync(FrameKind.Task);

        var refusal = await RefusalAsync(endpoint, m => m.HelloAsync("m1", blocks[1].Block, blocks[1].Secret));
        refusal.ShouldContain($"is of block '{blocks[0].Block}'");
        refusal.ShouldContain($"that of block '{blocks[1].Block}'");
        await manager.AnswerAsync(task, "1"u8.ToArray());
        (await link.ResultsAsync()).Frames.ShouldHaveSingleItem().Header.Task.ShouldBe(task.Task);
    }

    // Each connection ends at its first bad frame; MalformedTests has the thousands, with real processes.
    [Fact]
    public async Task Malformed_frames_end_their_connection_and_leave_the_listener_serving()
    {
        const int Frames = 100;
        const int FrameBytes = 256;
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        await using var witness = await endpoint.ManagerAsync("witness");
        var (block, secret) = await endpoint.BlockAsync();
        var random = new Random(1);
        for (var connection = 0; connection < 200; connection++)
        {
            await using var manager = await PlayedManager.DialAsync(endpoint.Address);
            if (connection % 2 == 0)
            {
                await manager.HelloAsync($"bad{connection}", block, secret);
                await manager.ReadAsync(FrameKind.Welcome);
            }

            var bytes = new byte[Frames * FrameBytes];
            random.NextBytes(bytes);
            for (var frame = 0; frame < Frames; frame++)
            {
                if (connection % 4 < 2)
                    BitConverter.TryWriteBytes(bytes.AsSpan(frame * FrameBytes), FrameBytes);
                if (connection % 8 < 4)
                    bytes[(frame * FrameBytes) + FrameHeader.KindOffset] = (byte)random.Next(1, 23);
            }

            await Should.ThrowAsync<IOException>(async () =>
            {
                await manager.Stream.WriteAsync(bytes, TestContext.Current.CancellationToken);
                while (true)
                    await manager.ReadAsync(30);
            });
        }

        await system.TasksAsync(0, 1);
        var (task, _) = await witness.ReadAsync(FrameKind.Task);
        await witness.AnswerAsync(task, "1"u8.ToArray());
        (await link.ResultsAsync()).Frames.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_manager_that_comes_back_sends_its_results_again_and_is_acknowledged_once_they_are_committed()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (endpoint, link, manager) = system;
        await system.TasksAsync(0, 2);
        var (done, _) = await manager.ReadAsync(FrameKind.Task);
        var (running, _) = await manager.ReadAsync(FrameKind.Task);
        await manager.DisposeAsync();

        await using var again = await endpoint.ManagerAsync("m1", new InventoryEntry(done.Task, 1, HeldState.Finished), new InventoryEntry(running.Task, 1, HeldState.Running));
        await again.AnswerAsync(done, "1"u8.ToArray());
        await again.MarkAsync(5);
        await again.AnswerAsync(running, "2"u8.ToArray());
        await again.MarkAsync(6);
        var results = new List<uint>();
        var last = 0UL;
        while (results.Count < 2)
        {
            var (sequence, frames) = await link.ResultsAsync();
            results.AddRange(frames.Select(frame => frame.Header.Task.Index));
            last = sequence;
        }

        await link.AckAsync(last);
        var acknowledged = 0UL;
        while (acknowledged < 6)
            acknowledged = BitConverter.ToUInt64((await again.ReadAsync(FrameKind.Ack)).Body);
    }

    [Fact]
    public async Task A_result_that_is_too_large_ends_its_task_and_leaves_the_connection()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (_, link, manager) = system;
        await system.TasksAsync(0, 2);
        var (large, _) = await manager.ReadAsync(FrameKind.Task);
        var (small, _) = await manager.ReadAsync(FrameKind.Task);

        await AnnounceAsync(manager, large, ManagerRoster.LargestResult + 1);
        await manager.AnswerAsync(small, "2"u8);
        await manager.MarkAsync(1);

        var results = new Dictionary<uint, (TaskOutcome Outcome, string Text)>();
        var last = 0UL;
        while (results.Count < 2)
        {
            var (sequence, frames) = await link.ResultsAsync(60);
            foreach (var (header, body) in frames)
                results.Add(header.Task.Index, (ResultPrefix.Read(body, body.Length).Outcome, Encoding.UTF8.GetString(body.AsSpan(ResultPrefix.Size))));
            last = sequence;
        }

        await link.AckAsync(last);
        results[0].Outcome.ShouldBe(TaskOutcome.TooLarge);
        results[0].Text.ShouldContain($"the result has {ManagerRoster.LargestResult + 1} bytes");
        results[1].ShouldBe((TaskOutcome.Value, "2"));
        BitConverter.ToUInt64((await manager.ReadAsync(FrameKind.Ack)).Body).ShouldBe(1ul);
    }

    // A value of zeros, sent in full.
    private static async Task AnnounceAsync(PlayedManager manager, FrameHeader task, long bytes)
    {
        var header = task;
        header.Kind = FrameKind.Result;
        header.Flags = FrameFlags.Segmented;
        var body = new byte[FrameHeader.MaxBody];
        BitConverter.TryWriteBytes(body, bytes);
        new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Octets }.Write(body.AsSpan(sizeof(long)));
        await manager.SendAsync(header, body);
        header.Kind = FrameKind.Segment;
        header.Flags = FrameFlags.None;
        Array.Clear(body);
        for (var left = bytes - (FrameHeader.MaxBody - sizeof(long)); left > 0; left -= FrameHeader.MaxBody)
        {
            if (left <= FrameHeader.MaxBody)
                header.Flags = FrameFlags.Last;
            await manager.SendAsync(header, body.AsMemory(0, (int)Math.Min(left, FrameHeader.MaxBody)));
        }
    }

    [Fact]
    public void The_longest_run_of_a_task_reaches_the_managers()
    {
        var configuration = EndpointConfigurationFile.Parse("x.yaml", "name: a\nservice: http://localhost:1\nstate_dir: /s\nlimits: {task_walltime: 45m}\n").Value!;
        WorkersWelcome.From(configuration).WalltimeMilliseconds.ShouldBe(45 * 60 * 1000);
        WorkersWelcome.From(configuration with { Limits = new LimitsConfiguration() }).WalltimeMilliseconds.ShouldBe(0);
    }

    [Fact]
    public void Every_output_that_a_configuration_allows_fits_a_result() =>
        LimitsConfiguration.LargestOutput.ShouldBe(ResultPrefix.LargestOutput);

    [Fact]
    public async Task A_manager_that_does_not_come_back_costs_an_attempt()
    {
        await using var system = await EndpointSystem.StartAsync();
        var (_, link, manager) = system;
        await system.TasksAsync(0, 1);
        await manager.ReadAsync(FrameKind.Task);
        await manager.DisposeAsync();
        var (header, body) = (await link.ResultsAsync(15)).Frames.ShouldHaveSingleItem();
        header.Attempt.ShouldBe((ushort)1);
        ResultPrefix.Read(body, body.Length).Outcome.ShouldBe(TaskOutcome.AttemptLost);
        Encoding.UTF8.GetString(body).ShouldContain("manager m1");
    }

    private static async Task<string> RefusalAsync(EndpointHarness endpoint, Func<PlayedManager, Task> hello)
    {
        await using var manager = await PlayedManager.DialAsync(endpoint.Address);
        await hello(manager);
        var (header, body) = await manager.ReadAsync();
        header.Kind.ShouldBe(FrameKind.Refused);
        await Should.ThrowAsync<IOException>(() => manager.ReadAsync());
        return Encoding.UTF8.GetString(body);
    }
}
