using System.Buffers;
using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Wire;

public sealed class FrameCodecTests
{
    [Fact]
    public void A_header_stands_on_the_wire_as_the_protocol_page_says()
    {
        var header = new FrameHeader
        {
            BodyLength = 3,
            Kind = FrameKind.Task,
            Flags = FrameFlags.Last | FrameFlags.Alone,
            Attempt = 0x0102,
            Epoch = 0x03040506,
            Task = new TaskId(BatchId.Read([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), 0x0D0E0F10),
            Function = 0x11121314,
            Container = 0x21222324,
            Owner = 0x31323334,
            Destination = 0x41424344,
            WalltimeMilliseconds = 0x51525354,
            Ticket = 0x61626364,
            ContentType = ContentType.Pickle,
            Priority = 7,
            DeadlineMicroseconds = 0x0102030405060708,
        };
        var bytes = new byte[FrameHeader.Size];
        header.Write(bytes);

        Convert.ToHexStringLower(bytes).ShouldBe(
            "43000000" + "07" + "0a" + "0201" + "06050403" + "0102030405060708090a0b0c" + "100f0e0d" + "14131211" + "24232221" + "34333231"
            + "44434241" + "54535251" + "64636261" + "02" + "07" + "0000" + "0807060504030201");
        FrameHeader.Read(bytes).ShouldBe(header);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(63u)]
    [InlineData((uint)FrameHeader.MaxFrame + 1)]
    [InlineData(uint.MaxValue)]
    public void A_length_outside_the_bounds_is_refused_before_anything_is_allocated(uint length)
    {
        var bytes = new byte[FrameHeader.Size];
        new FrameHeader { Kind = FrameKind.Task }.Write(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, length);

        Should.Throw<FrameException>(() => FrameHeader.Read(bytes)).Message.ShouldContain(length.ToString());
    }

    [Theory]
    [InlineData(0)]
    [InlineData((byte)FrameKind.FunctionDigest + 1)]
    [InlineData(255)]
    public void An_unknown_kind_is_refused(byte kind)
    {
        var bytes = new byte[FrameHeader.Size];
        new FrameHeader { Kind = FrameKind.Task }.Write(bytes);
        bytes[FrameHeader.KindOffset] = kind;

        Should.Throw<FrameException>(() => FrameHeader.Read(bytes)).Message.ShouldContain($"kind {kind}");
    }

    [Property]
    public bool Frames_come_back_whole_however_the_bytes_are_split(NonEmptyArray<byte[]?> bodies, NonEmptyArray<PositiveInt> cuts)
    {
        var output = new ArrayBufferWriter<byte>();
        var index = 0u;
        foreach (var body in bodies.Get)
            FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Task, Task = new TaskId(default, index++), Attempt = 1 }, body ?? []);
        var input = Split(output.WrittenSpan.ToArray(), cuts.Get.Select(cut => cut.Get).ToArray());

        index = 0;
        while (FrameReader.TryRead(ref input, out var header, out var frame))
        {
            var body = bodies.Get[(int)index] ?? [];
            if (header.Task.Index != index++ || header.BodyLength != body.Length || !frame.Slice(FrameHeader.Size).ToArray().AsSpan().SequenceEqual(body))
                return false;
        }

        return index == bodies.Get.Length && input.IsEmpty;
    }

    [Property]
    public bool A_cut_frame_asks_for_more_and_takes_nothing(byte[] body, NonNegativeInt cut)
    {
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Result }, body);
        var input = new ReadOnlySequence<byte>(output.WrittenMemory[..(cut.Get % output.WrittenCount)]);
        var before = input.Length;

        return !FrameReader.TryRead(ref input, out _, out _) && input.Length == before;
    }

    [Fact]
    public void A_large_body_travels_in_segments_that_join_to_the_same_bytes()
    {
        var body = new byte[(FrameHeader.MaxBody * 3) + 17];
        new Random(1).NextBytes(body);
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, new FrameHeader { Kind = FrameKind.Task, Ticket = 9 }, body);

        var input = new ReadOnlySequence<byte>(output.WrittenMemory);
        var joined = new List<byte>();
        var kinds = new List<(FrameKind, FrameFlags)>();
        long total = 0;
        while (FrameReader.TryRead(ref input, out var header, out var frame))
        {
            header.Ticket.ShouldBe(9u);
            kinds.Add((header.Kind, header.Flags));
            var slice = frame.Slice(FrameHeader.Size).ToArray();
            if (header.Flags.HasFlag(FrameFlags.Segmented))
            {
                total = BinaryPrimitives.ReadInt64LittleEndian(slice);
                slice = slice[8..];
            }

            joined.AddRange(slice);
        }

        total.ShouldBe(body.Length);
        joined.ToArray().ShouldBe(body);
        kinds.ShouldBe(
        [
            (FrameKind.Task, FrameFlags.Segmented), (FrameKind.Segment, FrameFlags.None), (FrameKind.Segment, FrameFlags.None),
            (FrameKind.Segment, FrameFlags.Last),
        ]);
    }

    [Fact]
    public void Ten_thousand_random_headers_are_read_or_refused_and_nothing_else()
    {
        var random = new Random(20);
        var bytes = new byte[FrameHeader.Size];
        var refused = 0;
        for (var i = 0; i < 10_000; i++)
        {
            random.NextBytes(bytes);
            if (i % 2 == 0)
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)random.Next(0, FrameHeader.MaxFrame * 2));
            try
            {
                FrameHeader.Read(bytes).FrameLength.ShouldBeInRange(FrameHeader.Size, FrameHeader.MaxFrame);
            }
            catch (FrameException)
            {
                refused++;
            }
        }

        refused.ShouldBeInRange(1, 9_999);
    }

    private static ReadOnlySequence<byte> Split(byte[] bytes, int[] cuts)
    {
        Piece? first = null, last = null;
        var at = 0;
        for (var i = 0; at < bytes.Length; i++)
        {
            var take = Math.Min(bytes.Length - at, 1 + (cuts[i % cuts.Length] % 70));
            last = last is null ? first = new Piece(bytes.AsMemory(at, take), 0) : last.Then(bytes.AsMemory(at, take));
            at += take;
        }

        return first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long index)
        {
            Memory = memory;
            RunningIndex = index;
        }

        public Piece Then(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
