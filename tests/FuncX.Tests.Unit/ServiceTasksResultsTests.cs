using FuncX.Service.Storage;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

public sealed class ServiceTasksResultsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_stands_before_a_result_that_cannot_be_read_is_delivered(bool indexed)
    {
        using var harness = new EngineHarness();
        await FinishAsync(harness, [.. Enumerable.Range(0, 5).Select(static number => new byte[] { (byte)('0' + number) }), new byte[200_000], "behind"u8.ToArray()]);
        if (indexed)
            await harness.Engine.IndexAllAsync();
        harness.Restart();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(harness.Directory, "segments")))
            File.Delete(file);
        var output = new EngineHarness.ChunkList();
        (await Should.ThrowAsync<ChunkException>(() => harness.ReadAsync(output))).Message.ShouldContain("is gone");
        output.Chunks.SelectMany(EngineHarness.Values).Select(static row => row.Value).ShouldBe(["0", "1", "2", "3", "4"]);

        // Who goes on behind them is told the same again, and nothing twice.
        var again = new EngineHarness.ChunkList();
        await Should.ThrowAsync<ChunkException>(() => harness.ReadAsync(again, cursor: output.Chunks[^1].Cursor));
        again.Chunks.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_long_history_is_flushed_on_the_way(bool indexed)
    {
        using var harness = new EngineHarness();
        await FinishAsync(harness, [.. Enumerable.Range(0, 40).Select(static number => Enumerable.Repeat((byte)('a' + (number % 26)), 50_000).ToArray())]);
        if (indexed)
            await harness.Engine.IndexAllAsync();
        harness.Restart();
        var output = new EngineHarness.ChunkList();
        await harness.ReadAsync(output);
        output.Chunks.Count.ShouldBe(40);
        output.Chunks.Select(static chunk => (chunk.Bodies.Length, (char)chunk.Bodies[0])).ShouldBe(Enumerable.Range(0, 40).Select(static number => (50_000, (char)('a' + (number % 26)))));
        output.Flushed[^1].ShouldBeTrue();
        var unflushed = 0;
        foreach (var flushed in output.Flushed)
        {
            unflushed = flushed ? 0 : unflushed + 50_000;
            unflushed.ShouldBeLessThanOrEqualTo(300_000);
        }
    }

    /// <summary>Ends tasks of one batch each with these values, one after the other.</summary>
    private static async Task FinishAsync(EngineHarness harness, IEnumerable<byte[]> values)
    {
        var link = await harness.ConnectAsync();
        using var receiver = harness.Receiver(link);
        var sequence = 0ul;
        foreach (var value in values)
        {
            await harness.SubmitAsync(1);
            var sent = await harness.TakeAsync(link);
            await receiver.ReceiveAsync(EngineHarness.Message(++sequence, (sent.Tasks[0].Task, sent.Tasks[0].Attempt, TaskOutcome.Value, value)), inline: true);
        }
    }
}
