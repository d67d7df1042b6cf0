using System.Buffers.Binary;
using System.Text;

namespace FuncX.Service.Storage;

/// <summary>A growing run of bytes that a chunk is encoded into; reused from commit to commit. Not for two threads at once. Benchmark: bench store.</summary>
public sealed class ChunkBuffer(int capacity = 4096)
{
    private byte[] _bytes = new byte[capacity];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    /// <summary>Forgets the content. A buffer that one huge chunk blew up is let go.</summary>
    public void Clear(int keep = 8 << 20)
    {
        Length = 0;
        if (_bytes.Length > keep)
            _bytes = new byte[keep];
    }

    /// <summary>Room for <paramref name="count"/> bytes, already counted as written.</summary>
    public Span<byte> Take(int count)
    {
        if (_bytes.Length - Length < count)
            Array.Resize(ref _bytes, (int)Math.Max(Math.Min((long)_bytes.Length * 2, Array.MaxLength), checked((long)Length + count)));
        var span = _bytes.AsSpan(Length, count);
        Length += count;
        return span;
    }

    public void Byte(byte value) => Take(1)[0] = value;

    public void Varint(ulong value)
    {
        var span = Take(10);
        var written = 0;
        while (value >= 0x80)
        {
            span[written++] = (byte)(value | 0x80);
            value >>= 7;
        }

        span[written++] = (byte)value;
        Length -= 10 - written;
    }

    public void Varint(long value) => Varint((ulong)value);

    public void Zigzag(long value) => Varint((ulong)((value << 1) ^ (value >> 63)));

    public void Fixed64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Take(8), value);

    public void Fixed32(int value) => BinaryPrimitives.WriteInt32LittleEndian(Take(4), value);

    public void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    public void Text(string value)
    {
        var count = Encoding.UTF8.GetByteCount(value);
        Varint(count);
        Encoding.UTF8.GetBytes(value, Take(count));
    }

    /// <summary>Rewrites four bytes that were written before.</summary>
    public void Patch32(int position, int value) => BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(position, 4), value);

    public Span<byte> Slice(int position, int count) => _bytes.AsSpan(position, count);
}
