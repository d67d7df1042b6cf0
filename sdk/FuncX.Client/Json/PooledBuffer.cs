using System.Buffers;

namespace FuncX.Client.Json;

/// <summary>Bytes from the shared pool that grow as they are written. Whoever made it returns it once, when nobody reads the bytes any more.</summary>
internal sealed class PooledBuffer : IBufferWriter<byte>
{
    private byte[] _bytes;

    public PooledBuffer(int capacity) => _bytes = ArrayPool<byte>.Shared.Rent(capacity);

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public void Advance(int count) => Length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureRoom(sizeHint);
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        EnsureRoom(sizeHint);
        return _bytes.AsSpan(Length);
    }

    /// <summary>Takes back what was written after <paramref name="length"/>: an argument that could not be encoded leaves nothing behind.</summary>
    public void Truncate(int length) => Length = length;

    public void Return()
    {
        var bytes = _bytes;
        _bytes = [];
        Length = 0;
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
    }

    private void EnsureRoom(int wanted)
    {
        if (_bytes.Length - Length < Math.Max(wanted, 1))
            Grow(wanted);
    }

    private void Grow(int wanted)
    {
        var grown = ArrayPool<byte>.Shared.Rent(checked(Math.Max(_bytes.Length * 2, Length + Math.Max(wanted, 256))));
        _bytes.AsSpan(0, Length).CopyTo(grown);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = grown;
    }
}
