using System.Buffers;
using System.Collections.Concurrent;

namespace FuncX.Manager.Engine;

/// <summary>Slabs for the link's pipe; keeps a few free ones.</summary>
internal sealed class SlabPool : MemoryPool<byte>
{
    public const int SlabBytes = 64 * 1024;
    private const int Kept = 16;

    private readonly ConcurrentBag<Slab> _free = [];

    public override int MaxBufferSize => SlabBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, SlabBytes);
        if (!_free.TryTake(out var slab))
            return new Slab(SlabBytes, this);
        slab.Revive();
        return slab;
    }

    /// <summary>A slab of its own size for a frame that did not fit one, never pooled.</summary>
    public static Slab Single(int bytes) => new(bytes, pool: null);

    public bool TryKeep(Slab slab)
    {
        if (_free.Count >= Kept)
            return false;
        _free.Add(slab);
        return true;
    }

    protected override void Dispose(bool disposing)
    {
    }
}
