using System.Buffers.Binary;
using System.Security.Cryptography;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>SHA-256 of a function's body: its name here, whatever its number is and however it was cut into frames.</summary>
internal readonly record struct FunctionDigest(UInt128 High, UInt128 Low)
{
    public const int Size = SHA256.HashSizeInBytes;

    /// <summary>Of what was appended to the hash, which begins anew.</summary>
    public static FunctionDigest Of(IncrementalHash hash)
    {
        Span<byte> digest = stackalloc byte[Size];
        hash.GetHashAndReset(digest);
        return Read(digest);
    }

    /// <summary>Of a whole <c>Function</c> message, segments included.</summary>
    public static FunctionDigest Of(ReadOnlySpan<byte> frames)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var skip = (FrameHeader.Read(frames).Flags & FrameFlags.Segmented) != 0 ? sizeof(long) : 0; frames.Length > 0; skip = 0)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(frames);
            hash.AppendData(frames[(FrameHeader.Size + skip)..length]);
            frames = frames[length..];
        }

        return Of(hash);
    }

    public static FunctionDigest Read(ReadOnlySpan<byte> input) => new(BinaryPrimitives.ReadUInt128BigEndian(input), BinaryPrimitives.ReadUInt128BigEndian(input[16..]));

    public void Write(Span<byte> output)
    {
        BinaryPrimitives.WriteUInt128BigEndian(output, High);
        BinaryPrimitives.WriteUInt128BigEndian(output[16..], Low);
    }

    /// <summary>As everywhere: 64 lower-case hexadecimal digits.</summary>
    public override string ToString() => $"{High:x32}{Low:x32}";
}
