using System.Text;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointManagersTests
{
    private static readonly BatchId Batch = BatchId.New(1_700_000_000_000);

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

    // Each connection ends at its first bad frame; MalformedTests has the thousands, with real processes.
    [Fact]
    public async Task Malformed_frames_end_their_connection_and_leave_the_listener_serving()
    {
        const int Frames = 100;
        const int FrameBytes = 256;
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
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

        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 1, 8);
        var (task, _) = await witness.ReadAsync(FrameKind.Task);
        await witness.AnswerAsync(task, "1"u8.ToArray());
        (await link.ResultsAsync()).Frames.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_manager_that_comes_back_sends_its_results_again_and_is_acknowledged_once_they_are_committed()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
        var manager = await endpoint.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 2, 8);
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
    public async Task A_manager_that_does_not_come_back_costs_an_attempt()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var link = await service.LinkAsync();
        var manager = await endpoint.ManagerAsync();
        await link.TellAsync();
        await link.TasksAsync(Batch, 0, 1, 8);
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
