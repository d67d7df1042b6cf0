using System.Buffers.Binary;
using FuncX.Manager.Pools;

namespace FuncX.Manager.World.Functions;

/// <summary>The 48 bytes in front of every message about a function.</summary>
/// <param name="Digest">Which one.</param>
/// <param name="Bytes">Of its body.</param>
/// <param name="Offset">As the tag says.</param>
internal readonly record struct FunctionPrefix(FunctionDigest Digest, long Bytes, long Offset)
{
    public const int Size = FunctionDigest.Size + (2 * sizeof(long));

    // little endian: digest 32 bytes, as they are | bytes i64 | offset i64
    public void Write(Span<byte> output)
    {
        Digest.Write(output);
        BinaryPrimitives.WriteInt64LittleEndian(output[FunctionDigest.Size..], Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(output[(FunctionDigest.Size + sizeof(long))..], Offset);
    }

    public static FunctionPrefix Read(ReadOnlySpan<byte> input) => new(
        FunctionDigest.Read(input), BinaryPrimitives.ReadInt64LittleEndian(input[FunctionDigest.Size..]), BinaryPrimitives.ReadInt64LittleEndian(input[(FunctionDigest.Size + sizeof(long))..]));
}
