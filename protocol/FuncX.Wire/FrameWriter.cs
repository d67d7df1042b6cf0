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
    // first: header | u64 whole length | slice; then Segment frames: header | slice; the last one is marked Last
    public static void WriteSegmented(IBufferWriter<byte> output, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (body.Length <= FrameHeader.MaxBody)
        {
            Write(output, header, body);
            return;
        }

        var first = header;
        first.Flags |= FrameFlags.Segmented;
        first.BodyLength = FrameHeader.MaxBody;
        var span = output.GetSpan(FrameHeader.MaxFrame);
        first.Write(span);
        BinaryPrimitives.WriteInt64LittleEndian(span[FrameHeader.Size..], body.Length);
        var taken = FrameHeader.MaxBody - sizeof(long);
        body[..taken].CopyTo(span[(FrameHeader.Size + sizeof(long))..]);
        output.Advance(FrameHeader.MaxFrame);
        while (taken < body.Length)
        {
            var slice = body.Slice(taken, Math.Min(FrameHeader.MaxBody, body.Length - taken));
            taken += slice.Length;
            var segment = header;
            segment.Kind = FrameKind.Segment;
            segment.Flags = taken == body.Length ? FrameFlags.Last : FrameFlags.None;
            Write(output, segment, slice);
        }
    }
}
