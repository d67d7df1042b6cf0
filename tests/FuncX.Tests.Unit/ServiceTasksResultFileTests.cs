using System.Buffers;
using FuncX.Contracts.V1;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Results that go to disk as they come, and are fetched by themselves.</summary>
public sealed class ServiceTasksResultFileTests
{
    [Fact]
    public async Task Values_too_large_for_a_message_are_left_out_of_it_and_come_in_pieces_from_any_offset()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        // The second is too large by itself; of the others all together are.
        int[] sizes = [5 << 20, 17 << 20, 12 << 20, 12 << 20, 12 << 20, 3, (16 << 20) + 1];
        var values = sizes.Select(Bytes).ToArray();
        var batch = await harness.SubmitAsync(sizes.Length);
        await harness.TakeAsync(link);
        using (var receiver = harness.Receiver(link))
        {
            // All of them at once, interleaved: what ends together is committed together.
            var messages = values.Select((value, index) => EngineHarness.Messages((new TaskId(batch.Key.Id, (uint)index), 1, TaskOutcome.Value, value)).ToList()).ToList();
            var sequence = 0ul;
            for (var round = 0; round < messages.Max(static list => list.Count); round++)
            {
                foreach (var list in messages)
                {
                    var at = list.Count - messages.Max(static list => list.Count) + round;
                    if (at < 0)
                        continue;
                    list[at].Sequence = ++sequence;
                    await receiver.ReceiveAsync(list[at], inline: false);
                }
            }
        }

        harness.Restart();
        var left = 0;
        var seen = 0;
        foreach (var chunk in await harness.ReadAsync())
        {
            chunk.Bodies.Length.ShouldBeLessThanOrEqualTo(40 << 20);
            var at = 0;
            for (var row = 0; row < chunk.Index.Count; row++, seen++)
            {
                var value = values[chunk.Index[row]];
                if (chunk.Large.IndexOf((uint)row) is var large and >= 0)
                {
                    left++;
                    chunk.Lengths[row].ShouldBe(0u);
                    chunk.LargeLengths[large].ShouldBe((ulong)value.Length);
                    continue;
                }

                value.Length.ShouldBeLessThanOrEqualTo(16 << 20);
                chunk.Bodies.Span.Slice(at, value.Length).SequenceEqual(value).ShouldBeTrue();
                at += value.Length;
            }
        }

        seen.ShouldBe(sizes.Length);
        left.ShouldBeGreaterThanOrEqualTo(2);
        for (var index = 0; index < values.Length; index++)
        {
            foreach (var offset in (int[])[0, 1, values[index].Length / 2, values[index].Length - 1, values[index].Length])
                (await ReadAsync(harness, new TaskId(batch.Key.Id, (uint)index), offset)).AsSpan().SequenceEqual(values[index].AsSpan(offset)).ShouldBeTrue($"{index} from {offset}");
        }
    }

    [Fact]
    public async Task What_is_damaged_on_disk_is_never_said_to_be_whole()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(1);
        await harness.TakeAsync(link);
        using (var receiver = harness.Receiver(link))
        {
            foreach (var message in EngineHarness.Messages((new TaskId(batch.Key.Id, 0), 1, TaskOutcome.Value, Bytes(20 << 20))))
                await receiver.ReceiveAsync(message, inline: true);
        }

        var task = new TaskId(batch.Key.Id, 0);
        (await ReadAsync(harness, task, 0)).Length.ShouldBe(20 << 20);
        await using (var file = new FileStream(Directory.GetFiles(Path.Combine(harness.Directory, "segments"), "*.seg").Single(), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.WriteByte(0x5A);
        var pieces = new PieceList();
        var stored = (await harness.TaskReader().FindValueAsync(EngineHarness.Owner, task))!;
        await Should.ThrowAsync<ChunkException>(() => ValueStream.SendAsync(harness.Store.Segments, stored, 0, pieces, CancellationToken.None));
        pieces.Bytes.ShouldBeLessThan(20 << 20);
    }

    [Fact]
    public async Task One_that_breaks_off_comes_twice_or_is_told_of_an_ended_task_leaves_no_file()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(1);
        await harness.TakeAsync(link);
        var task = new TaskId(batch.Key.Id, 0);
        var value = Bytes(6 << 20);
        var segments = Path.Combine(harness.Directory, "segments");
        var messages = EngineHarness.Messages((task, 1, TaskOutcome.Value, value)).ToList();
        using (var receiver = harness.Receiver(link))
        {
            // The manager that sent it was lost, and sends it anew.
            await receiver.ReceiveAsync(messages[0], inline: true);
            messages.ForEach(static message => message.Sequence += 100);
            await receiver.ReceiveAsync(messages[0], inline: true);
            Directory.GetFiles(segments, "*.part").Length.ShouldBe(1);
        }

        Directory.GetFiles(segments).ShouldBeEmpty("the link has ended in the middle");
        using (var receiver = harness.Receiver(link))
        {
            for (var time = 0; time < 2; time++)
            {
                messages.ForEach(static message => message.Sequence += 100);
                foreach (var message in messages)
                    await receiver.ReceiveAsync(message, inline: true);
            }
        }

        // Again the same result: its task has ended.
        Directory.GetFiles(segments).ShouldHaveSingleItem().ShouldEndWith(".seg");
        (await ReadAsync(harness, task, 0)).AsSpan().SequenceEqual(value).ShouldBeTrue();

        // A service that was killed in the middle of one.
        await File.WriteAllBytesAsync(Path.Combine(segments, "000000ff.part"), value);
        harness.Restart();
        Directory.GetFiles(segments).ShouldHaveSingleItem().ShouldEndWith(".seg");
        (await ReadAsync(harness, task, 0)).AsSpan().SequenceEqual(value).ShouldBeTrue();
    }

    private static async Task<byte[]> ReadAsync(EngineHarness harness, TaskId task, int offset)
    {
        var stored = (await harness.TaskReader().FindValueAsync(EngineHarness.Owner, task))!;
        var pieces = new PieceList();
        await ValueStream.SendAsync(harness.Store.Segments, stored, offset, pieces, CancellationToken.None);
        return pieces.ToArray();
    }

    private static byte[] Bytes(int size)
    {
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        return bytes;
    }

    private sealed class PieceList : IAsyncStreamWriter<ValuePiece>
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public WriteOptions? WriteOptions { get; set; }

        public long Bytes => _bytes.WrittenCount;

        public Task WriteAsync(ValuePiece message)
        {
            message.Data.Length.ShouldBeLessThanOrEqualTo(1 << 20);
            _bytes.Write(message.Data.Span);
            return Task.CompletedTask;
        }

        public byte[] ToArray() => _bytes.WrittenSpan.ToArray();
    }
}
