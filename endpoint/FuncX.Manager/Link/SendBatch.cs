using System.Buffers;
using System.Runtime.InteropServices;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Link;

/// <summary>
/// Frames on their way up, back to back in native memory. A batch of results stays until an Ack covers its mark: it is the store of what
/// the endpoint does not have for certain yet.
/// </summary>
internal sealed unsafe class SendBatch : MemoryManager<byte>, IBufferWriter<byte>
{
    /// <summary>Size of a pooled batch; a larger result has one of its own.</summary>
    public const int Bytes = 64 * 1024;

    // Of this size memory mostly comes from the system and goes back to it. A page of 4 KiB costs some 3 us when it is first written to, which is more than what is done with it.
    private const int LargeCapacity = 8 << 20;
    private const int LargePage = 2 << 20;

    private readonly byte* _pointer;

    public SendBatch(int capacity)
    {
        Capacity = capacity;
        if (!IsLarge)
        {
            _pointer = (byte*)NativeMemory.Alloc((nuint)capacity);
            return;
        }

        _pointer = (byte*)NativeMemory.AlignedAlloc((nuint)capacity, LargePage);
        // A wish: where the system has no large pages it stays with small ones.
        _ = Libc.MemoryAdvise(_pointer, (nuint)capacity, Libc.MADV_HUGEPAGE);
    }

    public int Capacity { get; }

    /// <summary>Bytes filled.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes that are still free.</summary>
    public int Room => Capacity - Length;

    /// <summary>The mark that ends it; 0: not yet sent, or nothing to keep.</summary>
    public ulong Mark { get; set; }

    /// <summary>How much of it was handed out, of a batch that is sent in pieces.</summary>
    public int Taken { get; set; }

    /// <summary>True while the writer reads from it.</summary>
    public bool Writing { get; set; }

    /// <summary>True while it waits to be sent again.</summary>
    public bool Queued { get; set; }

    /// <summary>An Ack came while the writer read from it, or before it was sent again.</summary>
    public bool Forgotten { get; set; }

    public Span<byte> Append(int bytes)
    {
        var span = new Span<byte>(_pointer + Length, bytes);
        Length += bytes;
        return span;
    }

    public ReadOnlySpan<byte> Filled => new(_pointer, Length);

    public void Reset()
    {
        Length = 0;
        Mark = 0;
        Taken = 0;
        Writing = false;
        Queued = false;
        Forgotten = false;
    }

    public override Span<byte> GetSpan() => new(_pointer, Capacity);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_pointer + elementIndex);

    public override void Unpin()
    {
    }

    void IBufferWriter<byte>.Advance(int count) => Length += count;

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint) => Memory[Length..];

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => new(_pointer + Length, Room);

    /// <summary>Gives the memory back.</summary>
    public void Free() => ((IDisposable)this).Dispose();

    protected override void Dispose(bool disposing)
    {
        if (IsLarge)
            NativeMemory.AlignedFree(_pointer);
        else
            NativeMemory.Free(_pointer);
    }

    private bool IsLarge => Capacity >= LargeCapacity;
}
