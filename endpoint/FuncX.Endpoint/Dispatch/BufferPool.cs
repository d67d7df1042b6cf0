using System.Numerics;
using Microsoft.Extensions.ObjectPool;

namespace FuncX.Endpoint.Dispatch;

/// <summary>Buffers by size class, powers of two from 1 KiB to 512 KiB; larger ones are made to measure and not kept.</summary>
public class BufferPool
{
    public const int Largest = 512 * 1024;

    private const int SmallestBits = 10;
    private const int LargestBits = 19;
    private const int KeptBytesPerClass = 32 << 20;

    private readonly DefaultObjectPool<PooledBuffer>[] _classes = new DefaultObjectPool<PooledBuffer>[LargestBits - SmallestBits + 1];

    public BufferPool()
    {
        for (var i = 0; i < _classes.Length; i++)
        {
            var bytes = 1 << (i + SmallestBits);
            _classes[i] = new DefaultObjectPool<PooledBuffer>(new Policy(this, bytes), Math.Min(4096, KeptBytesPerClass / bytes));
        }
    }

    /// <summary>A buffer of at least so many bytes, with one reference: the caller's.</summary>
    public PooledBuffer Rent(int bytes)
    {
        if (bytes > Largest)
            return PooledBuffer.Wrap(GC.AllocateUninitializedArray<byte>(bytes));
        var buffer = _classes[ClassOf(bytes)].Get();
        buffer.Begin();
        return buffer;
    }

    internal virtual void Return(PooledBuffer buffer) => _classes[ClassOf(buffer.Array.Length)].Return(buffer);

    private static int ClassOf(int bytes) => Math.Max(0, BitOperations.Log2((uint)Math.Max(1, bytes - 1)) + 1 - SmallestBits);

    private sealed class Policy(BufferPool pool, int bytes) : PooledObjectPolicy<PooledBuffer>
    {
        public override PooledBuffer Create() => new(GC.AllocateUninitializedArray<byte>(bytes), pool);

        public override bool Return(PooledBuffer obj) => true;
    }
}
