using System.Buffers.Binary;

namespace FuncX.Manager.World.Broadcast;

/// <summary>The 16 bytes in front of every message about files.</summary>
/// <param name="Flags">Of a request.</param>
/// <param name="File">Its place in the list.</param>
/// <param name="Offset">As the tag says.</param>
internal readonly record struct BroadcastPrefix(uint Flags, int File, long Offset)
{
    public const int Size = 16;

    // little endian: flags u32 | file i32 | offset i64
    public void Write(Span<byte> output)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(output, Flags);
        BinaryPrimitives.WriteInt32LittleEndian(output[4..], File);
        BinaryPrimitives.WriteInt64LittleEndian(output[8..], Offset);
    }

    public static BroadcastPrefix Read(ReadOnlySpan<byte> input) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(input), BinaryPrimitives.ReadInt32LittleEndian(input[4..]), BinaryPrimitives.ReadInt64LittleEndian(input[8..]));
}
