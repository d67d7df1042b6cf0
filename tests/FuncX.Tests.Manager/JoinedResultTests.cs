using System.Buffers;
using System.Buffers.Binary;
using FuncX.Manager.Workers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Large results are put together where they lie in the frames that go up.</summary>
public sealed class JoinedResultTests
{
    private const int Largest = 3 * FrameHeader.MaxBody;

    private static readonly TaskId s_task = new(BatchId.Read([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), 3);

    [Theory]
    [InlineData(FrameHeader.MaxBody + 1, 1)]
    [InlineData((2 * FrameHeader.MaxBody) - sizeof(long), FrameHeader.MaxBody)]
    [InlineData((2 * FrameHeader.MaxBody) - sizeof(long) + 1, FrameHeader.MaxBody)]
    [InlineData(700_001, 1_000)]
    [InlineData(Largest, FrameHeader.MaxBody - 1)]
    public void In_whatever_segments_a_result_comes_it_goes_up_in_full_frames(int bytes, int segment)
    {
        var body = new byte[bytes];
        new Random(bytes).NextBytes(body);
        var joined = Join(body, segment);

        joined.Bytes.ShouldBe(bytes);
        joined.Copy().AsSpan().SequenceEqual(body).ShouldBeTrue();
        joined.Prefix.SequenceEqual(body.AsSpan(0, ResultPrefix.Size)).ShouldBeTrue();
        var header = new FrameHeader { Kind = FrameKind.Result, Task = s_task, Ticket = 7, Function = 9, ContentType = ContentType.Octets };
        var expected = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(expected, header, body);
        var frames = joined.TakeFrames(header);
        joined.Free();
        frames.Filled.SequenceEqual(expected.WrittenSpan).ShouldBeTrue();
        frames.Free();
    }

    private static JoinedResult Join(byte[] body, int segmentBytes)
    {
        var first = new byte[FrameHeader.MaxFrame];
        var at = FrameHeader.MaxBody - sizeof(long);
        new FrameHeader { Kind = FrameKind.Result, Flags = FrameFlags.Segmented, BodyLength = FrameHeader.MaxBody, Task = s_task }.Write(first);
        BinaryPrimitives.WriteInt64LittleEndian(first.AsSpan(FrameHeader.Size), body.Length);
        body.AsSpan(0, at).CopyTo(first.AsSpan(FrameHeader.Size + sizeof(long)));
        var joined = new JoinedResult(first, Largest);
        for (var last = false; !last;)
        {
            var piece = body.AsSpan(at, Math.Min(segmentBytes, body.Length - at));
            at += piece.Length;
            var frame = new byte[FrameHeader.Size + piece.Length];
            new FrameHeader { Kind = FrameKind.Segment, BodyLength = piece.Length, Task = s_task, Flags = at == body.Length ? FrameFlags.Last : FrameFlags.None }.Write(frame);
            piece.CopyTo(frame.AsSpan(FrameHeader.Size));
            last = joined.Add(frame);
        }

        return joined;
    }
}
