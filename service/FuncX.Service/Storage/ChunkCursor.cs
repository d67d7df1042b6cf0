using System.Buffers.Binary;
using System.Text;

namespace FuncX.Service.Storage;

/// <summary>Reads what <see cref="ChunkBuffer"/> wrote; every length is checked before it is used.</summary>
public ref struct ChunkCursor(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }

    public readonly int Left => _bytes.Length - Position;

    public byte Byte() => Bytes(1)[0];

    public ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            if (Position >= _bytes.Length)
                break;
            var next = _bytes[Position++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }

        throw new ChunkException($"number at byte {Position} of {_bytes.Length} does not end");
    }

    public long Signed() => (long)Varint();

    public long Zigzag()
    {
        var value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>A number that must lie between 0 and <paramref name="most"/>.</summary>
    public int Count(int most = int.MaxValue)
    {
        var value = Varint();
        return value <= (ulong)most ? (int)value : throw new ChunkException($"count {value} at byte {Position} is above {most}");
    }

    public long Fixed64() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(8));

    public int Fixed32() => BinaryPrimitives.ReadInt32LittleEndian(Bytes(4));

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if ((uint)count > (uint)Left)
            throw new ChunkException($"{count} bytes wanted at byte {Position} of {_bytes.Length}");
        var span = _bytes.Slice(Position, count);
        Position += count;
        return span;
    }

    public string Text(int most = 1024) => Encoding.UTF8.GetString(Bytes(Count(most)));

    public void Skip(int count) => Bytes(count);
}
