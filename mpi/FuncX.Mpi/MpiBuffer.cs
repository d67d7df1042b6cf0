using System.Buffers;
using System.Runtime.InteropServices;

namespace FuncX.Mpi;

/// <summary>
/// Memory for messages, from a <see cref="MpiBufferPool"/>. It never moves, so sending it pins nothing, and a network card may keep it registered.
/// Whoever has it owns it until <see cref="Dispose"/> or until it is handed on as a send's owner; afterwards its memory belongs to others.
/// Any thread may dispose it.
/// </summary>
public sealed class MpiBuffer : IMemoryOwner<byte>
{
    private readonly byte[] _bytes;
    private readonly MpiBufferPool _pool;
    private int _length;
    private int _rented;

    internal MpiBuffer(MpiBufferPool pool, int capacity)
    {
        _pool = pool;
        _bytes = GC.AllocateUninitializedArray<byte>(capacity, pinned: true);
    }

    /// <summary>How long it may be made.</summary>
    public int Capacity => _bytes.Length;

    /// <summary>How many bytes <see cref="Memory"/> and <see cref="Span"/> show, 0 to <see cref="Capacity"/>.</summary>
    public int Length
    {
        get => _length;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, _bytes.Length);
            _length = value;
        }
    }

    /// <summary>The bytes. Not cleared when it was rented.</summary>
    public Memory<byte> Memory
    {
        get
        {
            RequireRented();
            return MemoryMarshal.CreateFromPinnedArray(_bytes, 0, _length);
        }
    }

    /// <summary>The same bytes.</summary>
    public Span<byte> Span
    {
        get
        {
            RequireRented();
            return new Span<byte>(_bytes, 0, _length);
        }
    }

    /// <summary>Gives it back. A second time does nothing, until somebody else has rented it.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _rented, 0) != 0)
            _pool.Return(this);
    }

    internal MpiBuffer Rent(int length)
    {
        _length = length;
        _rented = 1;
        return this;
    }

    private void RequireRented() => ObjectDisposedException.ThrowIf(_rented == 0, this);
}
