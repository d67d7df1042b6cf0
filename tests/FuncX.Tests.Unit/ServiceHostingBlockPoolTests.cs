using System.Buffers;
using FuncX.Service.Hosting;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceHostingBlockPoolTests
{
    [Fact]
    public void A_block_that_is_given_back_is_the_next_and_twice_given_back_is_given_to_one()
    {
        using var pool = new BlockPool();
        var block = pool.Rent();
        block.Memory.Length.ShouldBe(pool.MaxBufferSize);
        block.Dispose();
        block.Dispose();
        var (first, second) = (pool.Rent(4096), pool.Rent(4096));
        first.ShouldBeSameAs(block);
        second.ShouldNotBeSameAs(block);
        Should.Throw<ArgumentOutOfRangeException>(() => pool.Rent(pool.MaxBufferSize + 1));
    }

    [Fact]
    public void What_is_beyond_64_MiB_is_not_kept()
    {
        using var pool = new BlockPool();
        var most = (64 << 20) / pool.MaxBufferSize;
        var blocks = Enumerable.Range(0, most + 10).Select(_ => pool.Rent()).ToList();
        blocks.ForEach(static block => block.Dispose());
        Enumerable.Range(0, most + 10).Select(_ => pool.Rent()).Count(blocks.Contains).ShouldBe(most);
    }

    [Fact]
    public async Task No_two_have_the_same_block_at_once()
    {
        using var pool = new BlockPool();
        await Task.WhenAll(Enumerable.Range(1, 4).Select(number => Task.Run(() =>
        {
            var held = new Queue<IMemoryOwner<byte>>();
            for (var round = 0; round < 20_000; round++)
            {
                var block = pool.Rent();
                block.Memory.Span[0] = (byte)number;
                held.Enqueue(block);
                if (held.Count <= 5)
                    continue;
                var oldest = held.Dequeue();
                oldest.Memory.Span[0].ShouldBe((byte)number);
                oldest.Dispose();
            }
        })));
    }
}
