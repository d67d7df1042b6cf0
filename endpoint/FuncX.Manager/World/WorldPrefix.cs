using System.Buffers.Binary;

namespace FuncX.Manager.World;

/// <summary>The 16 bytes in front of every message between ranks.</summary>
/// <param name="Generation">Of this rank's registration with the endpoint: what carries an older one is dropped. 0: none.</param>
/// <param name="Argument">As the tag says.</param>
/// <param name="Consumed">Bytes of counted messages that the sender has had from the receiver and done with since both began: the receiver's credit.</param>
internal readonly record struct WorldPrefix(uint Generation, uint Argument, long Consumed)
{
    public const int Size = 16;

    // little endian: generation u32 | argument u32 | consumed i64
    public void Write(Span<byte> output)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(output, Generation);
        BinaryPrimitives.WriteUInt32LittleEndian(output[4..], Argument);
        BinaryPrimitives.WriteInt64LittleEndian(output[8..], Consumed);
    }

    public static WorldPrefix Read(ReadOnlySpan<byte> input) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(input), BinaryPrimitives.ReadUInt32LittleEndian(input[4..]), BinaryPrimitives.ReadInt64LittleEndian(input[8..]));
}
