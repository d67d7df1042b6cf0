using System.Numerics;
using Microsoft.Extensions.ObjectPool;

namespace FuncX.Mpi;

/// <summary>
/// Buffers by size, powers of two from 4 KiB to 4 MiB. What comes back beyond the limit is left to the garbage collector, and so is every larger
/// buffer. Any thread may rent and return.
/// </summary>
public sealed class MpiBufferPool
{
    private const int SmallestBits = 12;
    private const int LargestBits = 22;
    private const int MostKept = 64;

    private readonly DefaultObjectPool<MpiBuffer>[] _sizes = new DefaultObjectPool<MpiBuffer>[LargestBits - SmallestBits + 1];

    /// <summary>An empty pool.</summary>
    /// <param name="bytesKept">Free bytes kept per size: at least one buffer and at most 64.</param>
    public MpiBufferPool(int bytesKept)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytesKept);
        for (var i = 0; i < _sizes.Length; i++)
        {
            var capacity = 1 << (SmallestBits + i);
            _sizes[i] = new DefaultObjectPool<MpiBuffer>(new Policy(this, capacity), Math.Clamp(bytesKept / capacity, 1, MostKept));
        }
    }

    /// <summary>A buffer whose <see cref="MpiBuffer.Length"/> is <paramref name="bytes"/> (nearly 2 GiB at most); its content is whatever was in there before.</summary>
    public MpiBuffer Rent(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, MpiBuffer.MaxCapacity);
        var index = IndexOf(bytes);
        return (index < _sizes.Length ? _sizes[index].Get() : new MpiBuffer(this, bytes)).Rent(bytes);
    }

    internal void Return(MpiBuffer buffer)
    {
        var index = IndexOf(buffer.Capacity);
        if (index < _sizes.Length)
            _sizes[index].Return(buffer);
    }

    private static int IndexOf(int bytes) => Math.Max(0, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(0, bytes - 1)) - SmallestBits);

    private sealed class Policy(MpiBufferPool pool, int capacity) : PooledObjectPolicy<MpiBuffer>
    {
        public override MpiBuffer Create() => new(pool, capacity);

        public override bool Return(MpiBuffer obj) => true;
    }
}
