using System.Buffers.Binary;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>The body of a <c>FunctionDigest</c> frame.</summary>
/// <param name="Digest">What the function's body must be.</param>
/// <param name="Bytes">How long it is when it comes down the ranks; 0: its <c>Function</c> frame follows.</param>
internal readonly record struct FunctionNotice(FunctionDigest Digest, long Bytes)
{
    public const int Size = FunctionDigest.Size + sizeof(long);

    /// <summary>Largest body of a function.</summary>
    public const long MostBytes = 1 << 30;

    // little endian: digest 32 bytes, as they are | bytes i64
    public void Write(Span<byte> output)
    {
        Digest.Write(output);
        BinaryPrimitives.WriteInt64LittleEndian(output[FunctionDigest.Size..], Bytes);
    }

    /// <exception cref="FrameException">It is none.</exception>
    public static FunctionNotice Read(ReadOnlySpan<byte> input)
    {
        if (input.Length < Size)
            throw new FrameException($"a frame of kind {FrameKind.FunctionDigest} has {input.Length} bytes of body; {Size} are due");
        var bytes = BinaryPrimitives.ReadInt64LittleEndian(input[FunctionDigest.Size..]);
        return bytes is >= 0 and <= MostBytes
            ? new FunctionNotice(FunctionDigest.Read(input), bytes)
            : throw new FrameException($"a function of {bytes} bytes; at most {MostBytes} are possible");
    }
}
