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
    // From and to memory that begins in the middle of a cache line, as an array's does, the library's copies are slower by a tenth at 64 KiB and a third at 4 MiB.
    private const int Alignment = 64;

    /// <summary>The largest one.</summary>
    internal static int MaxCapacity => Array.MaxLength - Alignment;

    private readonly byte[] _bytes;
    private readonly int _start;
    private readonly MpiBufferPool _pool;
    private int _length;
    private int _rented;

    internal MpiBuffer(MpiBufferPool pool, int capacity)
    {
        _pool = pool;
        Capacity = capacity;
        _bytes = GC.AllocateUninitializedArray<byte>(capacity + Alignment - 1, pinned: true);
        var address = Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);
        _start = (int)(-address & (Alignment - 1));
    }

    /// <summary>How long it may be made.</summary>
    public int Capacity { get; }

    /// <summary>How many bytes <see cref="Memory"/> and <see cref="Span"/> show, 0 to <see cref="Capacity"/>.</summary>
    public int Length
    {
        get => _length;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, Capacity);
            _length = value;
        }
    }

    /// <summary>The bytes. Not cleared when it was rented.</summary>
    public Memory<byte> Memory
    {
        get
        {
            RequireRented();
            return MemoryMarshal.CreateFromPinnedArray(_bytes, _start, _length);
        }
    }

    /// <summary>The same bytes.</summary>
    public Span<byte> Span
    {
        get
        {
            RequireRented();
            return new Span<byte>(_bytes, _start, _length);
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
