using System.Buffers;
using System.Buffers.Binary;

namespace FuncX.Wire;

/// <summary>Encodes frames. Pure: it only appends to the writer it is given. Benchmark: FrameCodecBenchmarks.</summary>
public static class FrameWriter
{
    /// <summary>Appends one frame whose body fits in it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The body is larger than <see cref="FrameHeader.MaxBody"/>.</exception>
    // the header of FrameHeader, its length set from the body | the body
    public static void Write(IBufferWriter<byte> output, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(body.Length, FrameHeader.MaxBody);
        var copy = header;
        copy.BodyLength = body.Length;
        var span = output.GetSpan(FrameHeader.Size + body.Length);
        copy.Write(span);
        body.CopyTo(span[FrameHeader.Size..]);
        output.Advance(FrameHeader.Size + body.Length);
    }

    /// <summary>Appends a body of any size: one frame, or a first one marked <see cref="FrameFlags.Segmented"/> and segments.</summary>
    public static void WriteSegmented(IBufferWriter<byte> output, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (body.Length <= FrameHeader.MaxBody)
        {
            Write(output, header, body);
            return;
        }

        var rest = body;
        for (var left = SegmentedBytes(body.Length); left > 0;)
        {
            var frameBytes = Math.Min(FrameHeader.MaxFrame, left);
            var span = output.GetSpan(frameBytes)[..frameBytes];
            var first = rest.Length == body.Length;
            SegmentHeader(header, first, last: frameBytes == left, frameBytes).Write(span);
            var room = span[FrameHeader.Size..];
            if (first)
            {
                BinaryPrimitives.WriteInt64LittleEndian(room, body.Length);
                room = room[sizeof(long)..];
            }

            rest[..room.Length].CopyTo(room);
            rest = rest[room.Length..];
            left -= frameBytes;
            output.Advance(frameBytes);
        }
    }

    /// <summary>Bytes of all frames of a body that is larger than <see cref="FrameHeader.MaxBody"/>.</summary>
    public static int SegmentedBytes(int bodyBytes)
    {
        var cut = sizeof(long) + (long)bodyBytes;
        return checked((int)(cut + ((cut + FrameHeader.MaxBody - 1) / FrameHeader.MaxBody * FrameHeader.Size)));
    }

    /// <summary>Writes the headers of a body that lies already where <see cref="WriteSegmented"/> would have put it, its length in front.</summary>
    /// <param name="frames">Room for all frames, of <see cref="SegmentedBytes"/>.</param>
    /// <param name="header">Of the whole.</param>
    public static void WriteSegmentedHeaders(Span<byte> frames, in FrameHeader header)
    {
        for (var at = 0; at < frames.Length; at += FrameHeader.MaxFrame)
        {
            var frame = frames.Slice(at, Math.Min(FrameHeader.MaxFrame, frames.Length - at));
            SegmentHeader(header, first: at == 0, last: at + frame.Length == frames.Length, frame.Length).Write(frame);
        }
    }

    // u64 whole length | body, cut every MaxBody bytes, a header in front of each piece:
    // first: header | u64 whole length | slice; then Segment frames: header | slice; the last one is marked Last
    private static FrameHeader SegmentHeader(in FrameHeader header, bool first, bool last, int frameBytes)
    {
        var segment = header;
        segment.BodyLength = frameBytes - FrameHeader.Size;
        if (first)
        {
            segment.Flags |= FrameFlags.Segmented;
            return segment;
        }

        segment.Kind = FrameKind.Segment;
        segment.Flags = last ? FrameFlags.Last : FrameFlags.None;
        return segment;
    }
}
