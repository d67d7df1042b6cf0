using System.Buffers.Binary;
using System.IO.Hashing;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// One message's frames in a spool file, little endian: <c>length u32 | results u32 | XxHash64 of the frames u64 | XxHash32 of these 16 bytes u32 | frames</c>. The
/// header has a hash of its own so that a record which the end of the file cuts short is told from one whose length was damaged.
/// </summary>
internal static class SpoolRecord
{
    public const int HeaderSize = 20;

    /// <summary>No record is longer: a length above it is not a length.</summary>
    public const int LargestFrames = 320 << 20;

    private const int Hashed = 16;

    public static void WriteHeader(Span<byte> output, int length, int results, ulong hash)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output, length);
        BinaryPrimitives.WriteInt32LittleEndian(output[4..], results);
        BinaryPrimitives.WriteUInt64LittleEndian(output[8..], hash);
        BinaryPrimitives.WriteUInt32LittleEndian(output[Hashed..], XxHash32.HashToUInt32(output[..Hashed]));
    }

    public static bool TryReadHeader(ReadOnlySpan<byte> input, out int length, out int results, out ulong hash)
    {
        length = BinaryPrimitives.ReadInt32LittleEndian(input);
        results = BinaryPrimitives.ReadInt32LittleEndian(input[4..]);
        hash = BinaryPrimitives.ReadUInt64LittleEndian(input[8..]);
        return length is > 0 and <= LargestFrames && BinaryPrimitives.ReadUInt32LittleEndian(input[Hashed..]) == XxHash32.HashToUInt32(input[..Hashed]);
    }

    public static ulong Hash(ReadOnlySpan<byte> frames) => XxHash64.HashToUInt64(frames);
}
