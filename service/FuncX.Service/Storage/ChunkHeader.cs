using System.Buffers.Binary;
using System.IO.Hashing;

namespace FuncX.Service.Storage;

/// <summary>
/// The 56 bytes in front of a chunk (one group commit), little endian:
/// <code>
///  0 u32 magic  4 u32 length of the whole  8 u64 XXH3 of everything from byte 16
/// 16 i64 id  24 i64 Unix microseconds just before the commit  32 i64 microseconds when the chunk before was durable, 0 unknown
/// 40 i64 number of the first batch submitted here  48 u32 bytes of changes  52 u32 number of result sections
/// 56 changes | result sections
/// </code>
/// </summary>
public readonly record struct ChunkHeader(long Id, long Time, long PreviousCommitted, long FirstBatch, int ChangeBytes, int ResultSections)
{
    public const int Size = 56;

    private const uint Magic = 0x31435846;

    /// <summary>Where the result sections begin.</summary>
    public int ResultsOffset => Size + ChangeBytes;

    /// <summary>Writes the header in front of a finished chunk; the checksum covers what stands behind it.</summary>
    public void Write(Span<byte> chunk)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(chunk, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(chunk[4..], chunk.Length);
        BinaryPrimitives.WriteInt64LittleEndian(chunk[16..], Id);
        BinaryPrimitives.WriteInt64LittleEndian(chunk[24..], Time);
        BinaryPrimitives.WriteInt64LittleEndian(chunk[32..], PreviousCommitted);
        BinaryPrimitives.WriteInt64LittleEndian(chunk[40..], FirstBatch);
        BinaryPrimitives.WriteInt32LittleEndian(chunk[48..], ChangeBytes);
        BinaryPrimitives.WriteInt32LittleEndian(chunk[52..], ResultSections);
        BinaryPrimitives.WriteUInt64LittleEndian(chunk[8..], XxHash3.HashToUInt64(chunk[16..]));
    }

    /// <summary>Reads the header without looking at the checksum: for a look at the times only.</summary>
    public static ChunkHeader Peek(ReadOnlySpan<byte> chunk) => new(
        BinaryPrimitives.ReadInt64LittleEndian(chunk[16..]),
        BinaryPrimitives.ReadInt64LittleEndian(chunk[24..]),
        BinaryPrimitives.ReadInt64LittleEndian(chunk[32..]),
        BinaryPrimitives.ReadInt64LittleEndian(chunk[40..]),
        BinaryPrimitives.ReadInt32LittleEndian(chunk[48..]),
        BinaryPrimitives.ReadInt32LittleEndian(chunk[52..]));

    /// <summary>Reads and verifies a whole chunk.</summary>
    /// <exception cref="ChunkException">It is not the chunk that was written.</exception>
    public static ChunkHeader Read(ReadOnlySpan<byte> chunk, long id)
    {
        if (chunk.Length < Size)
            throw new ChunkException($"chunk {id} has {chunk.Length} bytes, less than its header of {Size}");
        if (BinaryPrimitives.ReadUInt32LittleEndian(chunk) != Magic)
            throw new ChunkException($"chunk {id} does not begin with the mark of a chunk");
        if (BinaryPrimitives.ReadInt32LittleEndian(chunk[4..]) != chunk.Length)
            throw new ChunkException($"chunk {id} has {chunk.Length} bytes; its header says {BinaryPrimitives.ReadInt32LittleEndian(chunk[4..])}");
        if (BinaryPrimitives.ReadUInt64LittleEndian(chunk[8..]) != XxHash3.HashToUInt64(chunk[16..]))
            throw new ChunkException($"chunk {id} of {chunk.Length} bytes does not match its checksum");
        var header = Peek(chunk);
        if (header.Id != id)
            throw new ChunkException($"chunk {id} says it is {header.Id}");
        if (header.ChangeBytes < 0 || header.ChangeBytes > chunk.Length - Size)
            throw new ChunkException($"chunk {id} says it has {header.ChangeBytes} bytes of changes in {chunk.Length}");
        return header;
    }
}
