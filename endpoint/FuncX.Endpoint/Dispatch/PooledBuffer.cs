namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// Bytes that several owners share: each holds one reference and gives it back once; with the last one the array returns to its pool. A new buffer has
/// one reference. Measured by: bench engine.
/// </summary>
public sealed class PooledBuffer
{
    private readonly BufferPool? _pool;
    private int _references;

    internal PooledBuffer(byte[] array, BufferPool? pool)
    {
        Array = array;
        _pool = pool;
    }

    public byte[] Array { get; }

    /// <summary>Whether it carries what passes through, not something made here.</summary>
    public bool IsPooled => _pool is not null;

    /// <summary>Wraps bytes that no pool wants back.</summary>
    public static PooledBuffer Wrap(byte[] array) => new(array, null) { _references = 1 };

    public void Retain(int count = 1) => Interlocked.Add(ref _references, count);

    public void Release(int count = 1)
    {
        var left = Interlocked.Add(ref _references, -count);
        if (left == 0)
            _pool?.Return(this);
        else if (left < 0)
            throw new InvalidOperationException("a buffer was released more often than it was retained");
    }

    /// <summary>How many hold it; below zero after a defect.</summary>
    internal int References => Volatile.Read(ref _references);

    internal void Begin() => Volatile.Write(ref _references, 1);
}
