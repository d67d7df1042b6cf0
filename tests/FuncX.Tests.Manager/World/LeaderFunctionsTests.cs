using System.Buffers;
using System.Security.Cryptography;
using FuncX.Manager.Pools;
using FuncX.Manager.World;
using FuncX.Manager.World.Functions;
using FuncX.Mpi;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>What the leader makes of functions that the endpoint has sent it.</summary>
public sealed class LeaderFunctionsTests
{
    private const uint Number = 9;

    private readonly MpiBufferPool _pool = new(1 << 20);
    private readonly List<(FunctionDigest Digest, FunctionContent? Content)> _kept = [];
    private readonly LeaderFunctions _functions;

    public LeaderFunctionsTests() => _functions = new LeaderFunctions(_pool, (digest, content) => _kept.Add((digest, content)), digest => _kept.Add((digest, null)));

    [Theory]
    [InlineData(1)]
    [InlineData(2_000)]
    [InlineData(FrameHeader.MaxBody)]
    [InlineData(FrameHeader.MaxBody + 1)]
    [InlineData(FunctionContent.PieceBytes * 3)]
    [InlineData(5_000_000)]
    public void A_function_is_cut_into_pieces_under_its_digest_as_it_comes(int bytes)
    {
        var body = Body(bytes);
        Send(body);
        var (digest, content) = _kept.ShouldHaveSingleItem();
        digest.ToString().ShouldBe(Convert.ToHexStringLower(SHA256.HashData(body)));
        content!.ToArray().AsSpan().SequenceEqual(body).ShouldBeTrue();
        long offset = 0;
        foreach (var piece in content.Pieces)
        {
            FunctionPrefix.Read(piece.Message.Span).ShouldBe(new FunctionPrefix(digest, bytes, offset));
            offset += piece.Body.Length;
            (piece.Body.Length == FunctionContent.PieceBytes || offset == bytes).ShouldBeTrue();
        }

        offset.ShouldBe(bytes);
    }

    [Fact]
    public void It_is_told_to_whom_it_is_told_until_it_is_to_be_forgotten()
    {
        Should.Throw<FrameException>(() => Tell(4)).Message.ShouldContain("was not sent before");
        Send(Body(600_000));
        Tell(3).ShouldNotBeNull();
        Tell(4).ShouldBeSameAs(Tell(3));
        Tell(0).ShouldBeNull();
        _kept[^1].ShouldBe((_kept[0].Digest, null));
        Should.Throw<FrameException>(() => Tell(4)).Message.ShouldContain("was not sent before");

        // With the connection all are forgotten, also one that has not come whole.
        Send(Body(600_000));
        Send(Body(600_000), number: 10, frames: 1);
        _functions.Clear();
        _kept.Count(static kept => kept.Content is null).ShouldBe(2);
        Should.Throw<FrameException>(() => Tell(4)).Message.ShouldContain("was not sent before");
        Should.Throw<FrameException>(() => Send(Body(600_000), number: 10, skip: 1)).Message.ShouldContain("without a beginning");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_memory_of_one_that_does_not_come_whole_is_given_back(int times)
    {
        MpiBuffer[] Rent() => [_pool.Rent(256 << 10), _pool.Rent(256 << 10)];
        var free = Rent();
        foreach (var buffer in free)
            buffer.Dispose();
        for (var time = 0; time < times; time++)
            Send(Body(600_000), frames: 1);
        _functions.Clear();
        Rent().ShouldBe(free, ignoreOrder: true);
    }

    [Fact]
    public void What_is_no_whole_function_is_refused()
    {
        Should.Throw<FrameException>(() => Take(new FrameHeader { Kind = FrameKind.Function, Function = Number, Flags = FrameFlags.Segmented, BodyLength = 8 }, BitConverter.GetBytes(FunctionNotice.MostBytes + 1)));
        Should.Throw<FrameException>(() => Take(new FrameHeader { Kind = FrameKind.Function, Function = Number, Flags = FrameFlags.Segmented, BodyLength = 4 }, new byte[4]));
        Take(new FrameHeader { Kind = FrameKind.Function, Function = Number, Flags = FrameFlags.Segmented, BodyLength = 12 }, [.. BitConverter.GetBytes(6L), 1, 2, 3, 4]);
        Should.Throw<FrameException>(() => Take(new FrameHeader { Kind = FrameKind.Segment, Function = Number, BodyLength = 3 }, new byte[3])).Message.ShouldContain("more than the 6 bytes");
        Take(new FrameHeader { Kind = FrameKind.Function, Function = Number, Flags = FrameFlags.Segmented, BodyLength = 12 }, [.. BitConverter.GetBytes(6L), 1, 2, 3, 4]);
        Should.Throw<FrameException>(() => Take(new FrameHeader { Kind = FrameKind.Segment, Function = Number, Flags = FrameFlags.Last, BodyLength = 1 }, new byte[1])).Message.ShouldContain("announced length");
        _kept.ShouldBeEmpty();
    }

    [Fact]
    public void Of_a_large_function_a_rank_is_told_the_digest_alone_in_a_message_with_the_tasks_around_it()
    {
        var body = Body(5_000_000);
        Send(body);
        var frames = Add(Tell(3)!, manager: 3);
        frames.Count.ShouldBe(3);
        var (header, notice) = frames[1];
        (header.Kind, header.Function, header.Destination).ShouldBe((FrameKind.FunctionDigest, Number, 3u));
        FunctionNotice.Read(notice).ShouldBe(new FunctionNotice(_kept[0].Digest, body.Length));
    }

    [Fact]
    public void A_small_function_goes_itself_in_that_message_behind_its_digest()
    {
        var body = Body(2_000);
        Send(body);
        var frames = Add(Tell(3)!, manager: 3);
        frames.Select(static frame => frame.Header.Kind).ShouldBe([FrameKind.Task, FrameKind.FunctionDigest, FrameKind.Function, FrameKind.Task]);
        FunctionNotice.Read(frames[1].Body).ShouldBe(new FunctionNotice(_kept[0].Digest, 0));
        var function = frames[2].Header;
        (function.Function, function.Destination, function.ContentType).ShouldBe((Number, 3u, ContentType.Json));
        frames[2].Body.ShouldBe(body);
    }

    [Theory]
    [InlineData(0, FrameKind.Function)]
    [InlineData(1, FrameKind.FunctionDigest)]
    public void The_largest_small_one_fills_a_message(int more, FrameKind last)
    {
        Send(Body(FrameRouter.MessageBytes - (2 * FrameHeader.Size) - FunctionNotice.Size + more));
        var rank = new WorldRank(null!, _pool);
        rank.Add(Tell(3)!, 3);
        var message = rank.TakeFrames().Buffer;
        message.Capacity.ShouldBe(16 * 1024);
        rank.HasFrames.ShouldBeFalse();
        Frames(message.Span[WorldPrefix.Size..])[^1].Header.Kind.ShouldBe(last);
    }

    // Between two tasks.
    private List<(FrameHeader Header, byte[] Body)> Add(KeptFunction function, uint manager)
    {
        var task = new byte[FrameHeader.Size];
        new FrameHeader { Kind = FrameKind.Task, Destination = manager }.Write(task);
        var rank = new WorldRank(null!, _pool);
        rank.Add(WorldTag.Frames, task).ShouldBe(WorldPrefix.Size + FrameHeader.Size);
        rank.Add(function, manager).ShouldBe(function.Length);
        rank.Add(WorldTag.Frames, task).ShouldBe(FrameHeader.Size);
        var message = rank.TakeFrames().Buffer;
        message.Length.ShouldBe(WorldPrefix.Size + (2 * FrameHeader.Size) + function.Length);
        rank.HasFrames.ShouldBeFalse();
        return Frames(message.Span[WorldPrefix.Size..]);
    }

    private KeptFunction? Tell(uint manager)
    {
        var told = Take(new FrameHeader { Kind = FrameKind.Function, Function = Number, Ticket = manager }, [], out var destination);
        destination.ShouldBe(manager);
        return told;
    }

    private void Send(byte[] body, uint number = Number, int skip = 0, int frames = int.MaxValue)
    {
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, new FrameHeader { Kind = FrameKind.Function, Function = number }, body);
        foreach (var (header, part) in Frames(output.WrittenSpan).Skip(skip).Take(frames))
            Take(header, part).ShouldBeNull();
    }

    private KeptFunction? Take(in FrameHeader header, byte[] body) => Take(header, body, out _);

    private KeptFunction? Take(in FrameHeader header, byte[] body, out uint destination)
    {
        var frame = new byte[FrameHeader.Size + body.Length];
        header.Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        return _functions.Take(header, frame, out destination);
    }

    private static List<(FrameHeader Header, byte[] Body)> Frames(ReadOnlySpan<byte> bytes)
    {
        var frames = new List<(FrameHeader, byte[])>();
        for (; FrameReader.TryRead(bytes, out var header, out var length); bytes = bytes[length..])
            frames.Add((header, bytes[FrameHeader.Size..length].ToArray()));
        bytes.Length.ShouldBe(0);
        return frames;
    }

    private static byte[] Body(int bytes)
    {
        var body = new byte[bytes];
        new Random(bytes).NextBytes(body);
        return body;
    }
}
