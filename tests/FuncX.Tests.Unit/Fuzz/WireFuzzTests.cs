using System.Buffers;
using System.Buffers.Binary;
using FuncX.Endpoint.Managers;
using FuncX.Tests.Fuzz;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Fuzz;

/// <summary>Whatever bytes come: frames, prefixes, inventories and reports are read, or refused with the exception that is declared; what was read is written back as it came.</summary>
public sealed class WireFuzzTests
{
    private const long MostAllocated = 256 * 1024;

    private static readonly Mutation s_frames = new([.. Frames()]);
    private static readonly Mutation s_reports = new(
        [
            """{"workers":64,"busy":3,"queued":12,"note":"all is well","hops":{"tasks_received":1,"task_bytes_received":2,"tasks_to_workers":3,"results_from_workers":4,"result_bytes_received":5,"results_sent":6,"bytes_copied":7,"bytes_allocated":8}}"""u8.ToArray(),
            """{"workers":1,"busy":0,"queued":0,"note":"","hops":{}}"""u8.ToArray(),
        ],
        "null", "{", "}", "[]", "\"\\ud800\"", "1e999", "-1", "true", ",", "\"hops\":null", "\"note\":null");

    [Fact]
    public void Frames_are_read_alike_however_they_lie_in_memory_and_are_written_back_as_they_came() => FuzzRun.Each("frames", 350_000, MostAllocated, s_frames.Next, static (bytes, random) =>
    {
        var contiguous = Contiguous(bytes);
        Split(bytes, random).ShouldBe(contiguous, "the same bytes in pieces");
        return contiguous.Refusal is null && contiguous.Frames > 0;
    });

    [Fact]
    public void Prefixes_of_results_and_lines_of_inventories_come_back_as_they_were() => FuzzRun.Each("prefixes", 100_000, MostAllocated, static random => s_frames.Next(random) is { Length: > FrameHeader.Size } frame ? frame[FrameHeader.Size..] : [], static (bytes, _) =>
    {
        for (ReadOnlySpan<byte> rest = bytes; rest.Length >= InventoryEntry.Size; rest = rest[InventoryEntry.Size..])
        {
            var line = new byte[InventoryEntry.Size];
            InventoryEntry.Read(rest).Write(line);
            line[..19].ShouldBe(rest[..19].ToArray());
        }

        try
        {
            var written = new byte[ResultPrefix.Size];
            var prefix = ResultPrefix.Read(bytes, bytes.Length);
            prefix.Write(written);
            var expected = bytes[..ResultPrefix.Size];
            expected.AsSpan(12, 4).Clear();
            written.ShouldBe(expected);
            ((long)prefix.StdoutBytes + prefix.StderrBytes).ShouldBeInRange(0, bytes.Length - ResultPrefix.Size);
            return true;
        }
        catch (FrameException)
        {
            return false;
        }
    });

    [Fact]
    public void A_manager_s_report_is_read_with_all_that_the_endpoint_uses_of_it_or_refused() => FuzzRun.Each("reports", 50_000, MostAllocated, s_reports.Next, static (bytes, _) =>
    {
        try
        {
            var report = ManagerReport.Read(bytes);
            report.Note.ShouldNotBeNull();
            report.Hops.ShouldNotBeNull();
            return true;
        }
        catch (FrameException)
        {
            return false;
        }
    });

    private static (int Frames, string? Refusal) Contiguous(byte[] bytes)
    {
        var frames = 0;
        try
        {
            ReadOnlySpan<byte> input = bytes;
            while (FrameReader.TryRead(input, out var header, out var length))
            {
                // Each takes at least a header: reading ends.
                length.ShouldBeInRange(FrameHeader.Size, Math.Min(input.Length, FrameHeader.MaxFrame));
                var expected = input[..length].ToArray();
                expected.AsSpan(FrameHeader.ContentTypeOffset + 2, 2).Clear();
                var written = new ArrayBufferWriter<byte>(length);
                FrameWriter.Write(written, header, input[FrameHeader.Size..length]);
                written.WrittenSpan.SequenceEqual(expected).ShouldBeTrue("a frame is written back as it came");
                input = input[length..];
                frames++;
            }

            return (frames, null);
        }
        catch (FrameException problem)
        {
            return (frames, problem.Message);
        }
    }

    private static (int Frames, string? Refusal) Split(byte[] bytes, Random random)
    {
        var frames = 0;
        try
        {
            var input = Pieces.Of(bytes, random);
            for (var before = input.Length; FrameReader.TryRead(ref input, out var header, out var frame); before = input.Length, frames++)
            {
                frame.Length.ShouldBe(header.FrameLength);
                input.Length.ShouldBe(before - frame.Length);
            }

            return (frames, null);
        }
        catch (FrameException problem)
        {
            return (frames, problem.Message);
        }
    }

    private static IEnumerable<byte[]> Frames()
    {
        var task = new TaskId(BatchId.Read([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), 3);
        yield return Frame(new FrameHeader { Kind = FrameKind.Task, Task = task, Attempt = 1, Function = 2, ContentType = ContentType.Json, DeadlineMicroseconds = 4_000_000_000_000_000 }, "[1,2]"u8);
        var result = new byte[ResultPrefix.Size + 9];
        new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Json, Code = -9, StdoutBytes = 3, StderrBytes = 2, WorkerStarted = 5, WorkerEnded = 6 }.Write(result);
        yield return Frame(new FrameHeader { Kind = FrameKind.Result, Task = task, Attempt = 1, Ticket = 7 }, result);
        yield return [.. Frame(new FrameHeader { Kind = FrameKind.Heartbeat }, []), .. Frame(new FrameHeader { Kind = FrameKind.Result, Task = task }, result), .. Frame(new FrameHeader { Kind = FrameKind.Mark }, [1, 0, 0, 0, 0, 0, 0, 0])];
        var inventory = new byte[3 * InventoryEntry.Size];
        for (var i = 0; i < 3; i++)
            new InventoryEntry(task, (ushort)i, (HeldState)(i + 1)).Write(inventory.AsSpan(i * InventoryEntry.Size));
        yield return Frame(new FrameHeader { Kind = FrameKind.Inventory, Flags = FrameFlags.Last }, inventory);
        var whole = new byte[12];
        BinaryPrimitives.WriteInt64LittleEndian(whole, 300_000);
        yield return [.. Frame(new FrameHeader { Kind = FrameKind.Result, Flags = FrameFlags.Segmented, Task = task }, whole), .. Frame(new FrameHeader { Kind = FrameKind.Segment, Flags = FrameFlags.Last, Task = task }, [1, 2, 3])];
    }

    private static byte[] Frame(in FrameHeader header, ReadOnlySpan<byte> body)
    {
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.Write(output, header, body);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The same bytes in pieces, empty ones among them.</summary>
    private sealed class Pieces : ReadOnlySequenceSegment<byte>
    {
        private Pieces(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public static ReadOnlySequence<byte> Of(byte[] bytes, Random random)
        {
            var first = new Pieces(ReadOnlyMemory<byte>.Empty, 0);
            var last = first;
            for (var at = 0; at < bytes.Length;)
            {
                var take = Math.Min(bytes.Length - at, random.Next(90));
                var next = new Pieces(bytes.AsMemory(at, take), at);
                last.Next = next;
                last = next;
                at += take;
            }

            return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        }
    }
}
