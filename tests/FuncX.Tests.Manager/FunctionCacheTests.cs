using System.Buffers;
using FuncX.Manager.Pools;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class FunctionCacheTests
{
    [Theory]
    [InlineData(100)]
    [InlineData(600_000)]
    public void Two_owners_of_the_same_function_share_neither_its_number_nor_what_is_known_of_it(int bytes)
    {
        var numbers = new FunctionNumbers();
        var ada = new FunctionCache(numbers);
        var bob = new FunctionCache(numbers);
        var frames = Frames(7, bytes);
        var content = FunctionCache.ContentOf(frames);
        FunctionCache.ContentOf(Frames(8, bytes)).ShouldBe(content, "the endpoint's number is not part of it");

        var adas = ada.Find(content, frames);
        var bobs = bob.Find(content, frames);
        adas.Observe(1000);
        adas.WritesRawOutput = true;

        ada.Find(content, frames).ShouldBeSameAs(adas);
        bobs.Number.ShouldNotBe(adas.Number);
        bobs.EstimateMicroseconds.ShouldBe(NodeFunction.Unknown);
        bobs.WritesRawOutput.ShouldBeFalse();
        ReadOnlySpan<byte> told = bobs.Slab.GetSpan();
        while (FrameReader.TryRead(told, out var header, out var length))
        {
            header.Function.ShouldBe(bobs.Number);
            told = told[length..];
        }

        told.Length.ShouldBe(0);
    }

    [Fact]
    public void What_nothing_uses_is_forgotten_and_its_number_never_given_again()
    {
        var cache = new FunctionCache(new FunctionNumbers());
        var used = cache.Find("used", Frames(1, 10));
        var unused = cache.Find("unused", Frames(2, 10)).Number;
        cache.Forget(function => ReferenceEquals(function, used));
        cache.Count.ShouldBe(1);
        cache.Find("used", Frames(1, 10)).ShouldBeSameAs(used);
        cache.Find("unused", Frames(2, 10)).Number.ShouldBeGreaterThan(unused);
    }

    private static byte[] Frames(uint number, int bytes)
    {
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, new FrameHeader { Kind = FrameKind.Function, Function = number }, new byte[bytes]);
        return output.WrittenSpan.ToArray();
    }
}
