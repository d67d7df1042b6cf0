using System.Buffers.Binary;
using System.IO.Hashing;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// One message's frames in a spool file, little endian: <c>length u32 | results u32 | XxHash64 of the frames u64 | frames</c>. A record whose hash does not fit is the
/// torn end of a file: nothing was promised about it.
/// </summary>
internal static class SpoolRecord
{
    public const int HeaderSize = 16;

    /// <summary>No record is longer: a length above it is not a length.</summary>
    public const int LargestFrames = 1 << 20;

    public static void WriteHeader(Span<byte> output, int length, int results, ulong hash)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output, length);
        BinaryPrimitives.WriteInt32LittleEndian(output[4..], results);
        BinaryPrimitives.WriteUInt64LittleEndian(output[8..], hash);
    }

    public static bool TryReadHeader(ReadOnlySpan<byte> input, out int length, out int results, out ulong hash)
    {
        length = BinaryPrimitives.ReadInt32LittleEndian(input);
        results = BinaryPrimitives.ReadInt32LittleEndian(input[4..]);
        hash = BinaryPrimitives.ReadUInt64LittleEndian(input[8..]);
        return length is > 0 and <= LargestFrames;
    }

    public static ulong Hash(ReadOnlySpan<byte> frames) => XxHash64.HashToUInt64(frames);
}
