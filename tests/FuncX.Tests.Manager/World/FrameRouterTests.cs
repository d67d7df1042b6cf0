using System.Buffers;
using System.Buffers.Binary;
using FuncX.Manager.World;
using FuncX.Mpi;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>How what comes from the endpoint in one turn becomes messages for the ranks of a world.</summary>
public sealed class FrameRouterTests : IRoutedFrames
{
    private const int BodyBytes = 8;

    private readonly MpiBufferPool _buffers = new(1 << 20);
    private readonly WorldRank[] _ranks;
    private readonly FrameRouter _router;
    private readonly List<uint> _own = [];
    private int _handedOn;

    public FrameRouterTests()
    {
        _ranks = [.. Enumerable.Range(0, 3).Select(_ => new WorldRank(null!, _buffers) { Generation = 1 })];
        _router = new FrameRouter(_ranks, this);
    }

    /// <summary>However the frames lie in memory: whole, or most of them across two pieces.</summary>
    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(100)]
    public void Small_frames_of_one_turn_are_one_message_for_each_rank_in_their_order(int pieceBytes)
    {
        Route(Tasks(100, static ticket => 2 + (ticket % 2)), pieceBytes);

        _ranks[0].HasFrames.ShouldBeFalse();
        foreach (var rank in (uint[])[1, 2])
        {
            var frames = Frames(_ranks[rank].TakeFrames());
            _ranks[rank].HasFrames.ShouldBeFalse("one message has room for all");
            frames.Select(static frame => frame.Ticket).ShouldBe(Enumerable.Range(0, 50).Select(i => (uint)((2 * i) + rank - 1)));
            frames.ShouldAllBe(frame => frame.Destination == rank + 1);
        }
    }

    [Fact]
    public void Frames_for_one_rank_that_stand_together_are_handed_on_in_one_piece()
    {
        Route(Tasks(100, static ticket => ticket < 60 ? 1u : 3u), int.MaxValue);
        _handedOn.ShouldBe(2);
        Frames(_ranks[0].TakeFrames()).Count.ShouldBe(60);
        Frames(_ranks[2].TakeFrames()).Count.ShouldBe(40);
    }

    [Fact]
    public void More_than_a_message_holds_goes_in_several_and_keeps_its_order()
    {
        Route(Tasks(1_000, static _ => 2), int.MaxValue);
        var tickets = new List<uint>();
        while (_ranks[1].HasFrames)
        {
            var message = _ranks[1].TakeFrames();
            message.Buffer.Length.ShouldBeLessThanOrEqualTo(WorldPrefix.Size + FrameRouter.MessageBytes);
            tickets.AddRange(Frames(message).Select(static frame => frame.Ticket));
        }

        tickets.ShouldBe(Enumerable.Range(0, 1_000).Select(static ticket => (uint)ticket));
    }

    [Fact]
    public void What_is_for_a_rank_that_is_not_there_goes_nowhere_and_the_leaders_own_to_the_leader()
    {
        _ranks[1].Generation = 0;
        Route(Tasks(9, static ticket => ticket % 3), int.MaxValue);
        _own.ShouldBe([0u, 3u, 6u]);
        Frames(_ranks[0].TakeFrames()).Select(static frame => frame.Ticket).ShouldBe([1u, 4u, 7u]);
        _ranks[1].HasFrames.ShouldBeFalse();
        _ranks[2].HasFrames.ShouldBeFalse();
    }

    void IRoutedFrames.OnOwn(in FrameHeader header, ReadOnlySpan<byte> frame) => _own.Add(header.Ticket);

    void IRoutedFrames.OnFrames(WorldRank rank, int tag, ReadOnlySpan<byte> frames)
    {
        _handedOn++;
        rank.Add(tag, frames);
    }

    private static ReadOnlyMemory<byte> Tasks(uint count, Func<uint, uint> destinationOf)
    {
        var output = new ArrayBufferWriter<byte>();
        for (uint ticket = 0; ticket < count; ticket++)
            FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Task, Destination = destinationOf(ticket), Ticket = ticket }, Body(ticket));
        return output.WrittenMemory;
    }

    private static byte[] Body(uint ticket)
    {
        var body = new byte[BodyBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(body, ticket);
        return body;
    }

    private void Route(ReadOnlyMemory<byte> frames, int pieceBytes)
    {
        var input = Piece.Split(frames, pieceBytes);
        _router.Route(ref input);
        input.IsEmpty.ShouldBeTrue();
    }

    // The headers; that each has the body it came with is looked at here.
    private static List<FrameHeader> Frames(WorldRank.Outgoing message)
    {
        message.Tag.ShouldBe(WorldTag.Frames);
        var headers = new List<FrameHeader>();
        var rest = message.Buffer.Span[WorldPrefix.Size..];
        while (FrameReader.TryRead(rest, out var header, out var length))
        {
            rest[FrameHeader.Size..length].ToArray().ShouldBe(Body(header.Ticket));
            headers.Add(header);
            rest = rest[length..];
        }

        rest.Length.ShouldBe(0);
        message.Buffer.Dispose();
        return headers;
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public static ReadOnlySequence<byte> Split(ReadOnlyMemory<byte> bytes, int pieceBytes)
        {
            Piece? first = null, last = null;
            while (bytes.Length > 0)
            {
                var memory = bytes[..Math.Min(pieceBytes, bytes.Length)];
                var next = new Piece { Memory = memory, RunningIndex = last is null ? 0 : last.RunningIndex + last.Memory.Length };
                if (last is not null)
                    last.Next = next;
                (first, last) = (first ?? next, next);
                bytes = bytes[memory.Length..];
            }

            return new ReadOnlySequence<byte>(first!, 0, last!, last!.Memory.Length);
        }
    }
}
