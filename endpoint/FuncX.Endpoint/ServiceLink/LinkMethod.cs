using System.Buffers;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// <c>funcx.v1.Link/Connect</c> with marshallers of its own: the frames of tasks are copied once, from the message into a pooled buffer, and the frames of results
/// once, from their buffers into the message. Byte for byte what link.proto says; everything but these two fields goes through the generated code.
/// </summary>
internal sealed class LinkMethod(BufferPool pool, HopCounter hops)
{
    // Field numbers of link.proto as tags of length-delimited fields.
    private const byte ResultsTag = (3 << 3) | 2;
    private const byte SequenceTag = 1 << 3;
    private const byte FramesTag = (2 << 3) | 2;
    private const byte TasksTag = (5 << 3) | 2;
    private const byte TaskFramesTag = (1 << 3) | 2;
    private const int LargestTasks = 64 << 20;

    public Method<OutgoingMessage, IncomingMessage> Connect() => new(
        MethodType.DuplexStreaming,
        ServiceNames.Link,
        "Connect",
        Marshallers.Create<OutgoingMessage>(Serialize, _ => throw new NotSupportedException()),
        Marshallers.Create<IncomingMessage>((_, _) => throw new NotSupportedException(), Deserialize));

    // results { 1: sequence varint, 2: frames bytes }
    internal void Serialize(OutgoingMessage message, SerializationContext context)
    {
        if (message is PlainMessage plain)
        {
            context.SetPayloadLength(plain.Message.CalculateSize());
            plain.Message.WriteTo(context.GetBufferWriter());
            context.Complete();
            return;
        }

        var held = (ResultsMessage)message;
        var inner = 1 + VarintSize(held.Sequence) + 1 + VarintSize((ulong)held.Bytes) + held.Bytes;
        context.SetPayloadLength(1 + VarintSize((ulong)inner) + inner);
        var writer = context.GetBufferWriter();
        var head = writer.GetSpan(32);
        var at = 0;
        head[at++] = ResultsTag;
        WriteVarint(head, ref at, (ulong)inner);
        head[at++] = SequenceTag;
        WriteVarint(head, ref at, held.Sequence);
        head[at++] = FramesTag;
        WriteVarint(head, ref at, (ulong)held.Bytes);
        writer.Advance(at);
        foreach (var frame in held.Frames)
            writer.Write(frame.Span);
        hops.Copied(held.Bytes);
        context.Complete();
    }

    internal IncomingMessage Deserialize(DeserializationContext context)
    {
        var payload = context.PayloadAsReadOnlySequence();
        var reader = new SequenceReader<byte>(payload);
        if (!reader.TryPeek(out var tag) || tag != TasksTag)
            return new IncomingMessage { Message = ServiceMessage.Parser.ParseFrom(payload) };
        reader.Advance(1);
        if (!TryReadVarint(ref reader, out var inner) || inner != (ulong)reader.Remaining)
            return new IncomingMessage { Message = ServiceMessage.Parser.ParseFrom(payload) };
        if (inner == 0)
            return new IncomingMessage { Message = new ServiceMessage { Tasks = new LinkTasks() } };
        if (!reader.TryRead(out var framesTag) || framesTag != TaskFramesTag || !TryReadVarint(ref reader, out var length) || length != (ulong)reader.Remaining)
            throw new InvalidDataException("a tasks message holds something else than frames");
        if (length > LargestTasks)
            throw new InvalidDataException($"a tasks message of {length} bytes is above {LargestTasks}");
        var buffer = pool.Rent((int)length);
        reader.TryCopyTo(buffer.Array.AsSpan(0, (int)length));
        hops.Copied((long)length);
        return new IncomingMessage { Tasks = new FrameSlice(buffer, 0, (int)length) };
    }

    private static int VarintSize(ulong value) => value == 0 ? 1 : (System.Numerics.BitOperations.Log2(value) / 7) + 1;

    private static void WriteVarint(Span<byte> output, ref int at, ulong value)
    {
        while (value >= 0x80)
        {
            output[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        output[at++] = (byte)value;
    }

    private static bool TryReadVarint(ref SequenceReader<byte> reader, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (!reader.TryRead(out var part))
                return false;
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                return true;
        }

        return false;
    }
}
