using System.Runtime.InteropServices;
using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Buffers;

public sealed class BufferPoolTests
{
    [Theory]
    [InlineData(0, 4096)]
    [InlineData(1, 4096)]
    [InlineData(4096, 4096)]
    [InlineData(4097, 8192)]
    [InlineData(262_144, 262_144)]
    [InlineData((4 << 20) - 1, 4 << 20)]
    [InlineData((4 << 20) + 1, (4 << 20) + 1)]
    public void A_buffer_is_as_long_as_asked_and_its_memory_a_power_of_two_up_to_4_MiB(int bytes, int capacity)
    {
        using var buffer = new MpiBufferPool(1 << 20).Rent(bytes);
        (buffer.Length, buffer.Span.Length, buffer.Memory.Length, buffer.Capacity).ShouldBe((bytes, bytes, bytes, capacity));
        buffer.Length = buffer.Capacity;
        buffer.Span.Length.ShouldBe(capacity);
        Should.Throw<ArgumentOutOfRangeException>(() => buffer.Length = capacity + 1);
    }

    [Theory, InlineData(1), InlineData(65_536), InlineData(5_000_000)]
    public void A_buffer_begins_at_a_cache_line(int bytes)
    {
        using var buffer = new MpiBufferPool(1 << 20).Rent(bytes);
        MemoryMarshal.TryGetArray<byte>(buffer.Memory, out var segment).ShouldBeTrue();
        (Marshal.UnsafeAddrOfPinnedArrayElement(segment.Array!, segment.Offset) % 64).ShouldBe(0);
    }

    [Fact]
    public void What_is_given_back_is_used_again_and_cannot_be_touched_meanwhile()
    {
        var pool = new MpiBufferPool(1 << 20);
        var buffer = pool.Rent(100);
        buffer.Dispose();
        buffer.Dispose();
        Should.Throw<ObjectDisposedException>(() => buffer.Span.Length);
        Should.Throw<ObjectDisposedException>(() => buffer.Memory);
        pool.Rent(200).ShouldBeSameAs(buffer);
        pool.Rent(300).ShouldNotBeSameAs(buffer);
    }

    [Fact]
    public void No_more_free_memory_is_kept_than_allowed()
    {
        var pool = new MpiBufferPool(16_384);
        var first = Enumerable.Range(0, 10).Select(_ => pool.Rent(4096)).ToList();
        first.ForEach(static buffer => buffer.Dispose());
        Enumerable.Range(0, 10).Count(_ => first.Contains(pool.Rent(4096))).ShouldBe(4);
    }
}
