using System.Buffers;
using FuncX.Bench.Engine;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.ServiceLink;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What is counted as a copy in an endpoint, and the figure of the bench that is made of it.</summary>
public sealed class EndpointCopiesTests
{
    private const int Body = 1024;

    private readonly HopCounter _hops = new();
    private readonly BufferPool _pool = new();

    [Theory]
    [InlineData(1, 0, 1.0)]
    [InlineData(2, 0, 1.0)]
    [InlineData(4, 0, 1.0)]
    [InlineData(4, 2, 1.25)]
    [InlineData(4, 8, 2.0)]
    public void A_task_whose_bodies_are_copied_once_each_way_is_one_copy_and_every_further_one_is_seen(int tasks, int copiedAgain, double figure)
    {
        // A warm-up that does not count.
        Pass(3, small: 3);
        var before = Cost();
        Pass(tasks, small: copiedAgain);
        var (_, perBody, perTask) = Cost().Since(before, tasks);
        perBody.ShouldBe(figure, tolerance: 1e-9);
        perTask.ShouldBe(2 * figure, tolerance: 1e-9);
    }

    [Fact]
    public void Allocation_is_per_task_and_copies_are_not()
    {
        var before = new HopCost(1_000, 500, 100, 100);
        new HopCost(3_000, 1_500, 600, 600).Since(before, 10).ShouldBe((200, 1, 2));
        new HopCost(3_000, 1_500, 600, 600).Since(before, 20).ShouldBe((100, 1, 2));
        new HopCost(3_000, 1_500, 1_100, 100).Since(before, 10).ShouldBe((200, 1, 2));
        new HopCost(3_000, 1_500, 600, 100).Since(before, 10).ShouldBe((200, 2, 4));
    }

    /// <summary>Tasks in one message from the service, their results in one message to it; of the tasks as many as said are copied once more, gathered for a manager.</summary>
    private void Pass(int tasks, int small)
    {
        var method = new LinkMethod(_pool, _hops);
        var frames = new byte[tasks * Body];
        var incoming = method.Deserialize(new Received(new ServiceMessage { Tasks = new LinkTasks { Frames = ByteString.CopyFrom(frames) } }.ToByteArray()));
        incoming.Tasks.Length.ShouldBe(frames.Length);
        _hops.TaskBytesReceived += frames.Length;
        var sent = new MemoryStream();
        var outbox = new ManagerOutbox(sent, _hops, _pool, static _ => { }, static () => { });
        for (var at = 0; at < small; at++)
        {
            // Half a frame each, for which a record of its own is not worth it; of another buffer than the one before.
            outbox.AddTask(new FrameSlice(_pool.Rent(Body), 0, Body / 2));
            outbox.AddTask(new FrameSlice(_pool.Rent(Body), 0, Body / 2));
        }

        outbox.Flush();
        SpinWait.SpinUntil(() => sent.Length == small * Body, TimeSpan.FromSeconds(30)).ShouldBeTrue();
        _hops.ResultBytesReceived += frames.Length;
        var held = HeldMessage.New();
        held.Frames.Add(new FrameSlice(PooledBuffer.Wrap(frames), 0, frames.Length));
        (held.Sequence, held.Bytes) = (1, frames.Length);
        var message = new Sent();
        method.Serialize(held, message);
        EndpointMessage.Parser.ParseFrom(message.Written).Results.Frames.Length.ShouldBe(frames.Length);
    }

    private HopCost Cost()
    {
        var counts = _hops.Read();
        return new HopCost(counts.BytesAllocated, counts.BytesCopied, counts.TaskBytesReceived, counts.ResultBytesReceived);
    }

    private sealed class Received(byte[] message) : DeserializationContext
    {
        public override int PayloadLength => message.Length;

        public override byte[] PayloadAsNewBuffer() => message;

        public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(message);
    }

    private sealed class Sent : SerializationContext
    {
        private readonly ArrayBufferWriter<byte> _writer = new();

        public byte[] Written => _writer.WrittenSpan.ToArray();

        public override void SetPayloadLength(int payloadLength)
        {
        }

        public override IBufferWriter<byte> GetBufferWriter() => _writer;

        public override void Complete()
        {
        }
    }
}
