using System.Buffers;

namespace FuncX.Wire;

/// <summary>Takes frames off a sequence of bytes however it was split. Benchmark: FrameCodecBenchmarks.</summary>
public static class FrameReader
{
    /// <summary>Takes one whole frame off the front.</summary>
    /// <param name="input">Advanced past the frame when the result is true, left as it was otherwise.</param>
    /// <param name="header">The frame's header.</param>
    /// <param name="frame">Header and body, a slice of the input: valid as long as the input is.</param>
    /// <returns>False when more bytes are needed.</returns>
    /// <exception cref="FrameException">The bytes can never become a frame.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> input, out FrameHeader header, out ReadOnlySequence<byte> frame)
    {
        header = default;
        frame = default;
        if (input.Length < FrameHeader.Size)
            return false;
        if (input.FirstSpan.Length >= FrameHeader.Size)
        {
            header = FrameHeader.Read(input.FirstSpan);
        }
        else
        {
            Span<byte> bytes = stackalloc byte[FrameHeader.Size];
            input.Slice(0, FrameHeader.Size).CopyTo(bytes);
            header = FrameHeader.Read(bytes);
        }

        if (input.Length < header.FrameLength)
            return false;
        frame = input.Slice(0, header.FrameLength);
        input = input.Slice(header.FrameLength);
        return true;
    }

    /// <summary>Takes one whole frame off the front of contiguous bytes; <paramref name="length"/> is its length.</summary>
    /// <returns>False when more bytes are needed.</returns>
    /// <exception cref="FrameException">The bytes can never become a frame.</exception>
    public static bool TryRead(ReadOnlySpan<byte> input, out FrameHeader header, out int length)
    {
        header = default;
        length = 0;
        if (input.Length < FrameHeader.Size)
            return false;
        header = FrameHeader.Read(input);
        length = header.FrameLength;
        return input.Length >= length;
    }
}
