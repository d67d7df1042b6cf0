using System.Buffers;
using System.Runtime.InteropServices;

namespace FuncX.Manager.Engine;

/// <summary>
/// Native memory that frames of tasks stay in from the link's read to the worker's socket, counted: the pipe that filled it holds one
/// reference, every task in it one more. The last one back gives it to the pool.
/// </summary>
internal sealed unsafe class Slab : MemoryManager<byte>
{
    private readonly SlabPool? _pool;
    private int _references;

    public Slab(int capacity, SlabPool? pool)
    {
        Capacity = capacity;
        _pool = pool;
        _references = 1;
        Pointer = (byte*)NativeMemory.Alloc((nuint)capacity);
    }

    public byte* Pointer { get; private set; }

    public int Capacity { get; }

    public override Span<byte> GetSpan() => new(Pointer, Capacity);

    public override MemoryHandle Pin(int elementIndex = 0) => new(Pointer + elementIndex);

    public override void Unpin()
    {
    }

    public void Retain() => Interlocked.Increment(ref _references);

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) > 0)
            return;
        if (_pool is not null && _pool.TryKeep(this))
            return;
        NativeMemory.Free(Pointer);
        Pointer = null;
    }

    /// <summary>Takes it out of the pool again.</summary>
    public void Revive() => _references = 1;

    // The pipe's way of giving its reference back.
    protected override void Dispose(bool disposing) => Release();
}
