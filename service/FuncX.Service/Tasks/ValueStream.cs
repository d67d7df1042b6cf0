using FuncX.Contracts.V1;
using FuncX.Service.Storage;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>Sends one value in pieces; the last one once all that is stored with it was found to be right.</summary>
internal static class ValueStream
{
    private const int PieceBytes = 1 << 20;

    /// <exception cref="ChunkException">It is missing or not what was written.</exception>
    public static async Task SendAsync(SegmentFiles segments, StoredValue value, long from, IAsyncStreamWriter<ValuePiece> output, CancellationToken ending)
    {
        if (value.Large.IsNone)
        {
            for (var at = (int)from; at < value.ValueBytes; at += PieceBytes)
                await WriteAsync(value.Small.Slice(at, Math.Min(PieceBytes, value.ValueBytes - at)));
            return;
        }

        var reader = new BodyReader(segments, value.Large, value.Bytes);
        var (last, next) = (new byte[PieceBytes], new byte[PieceBytes]);
        var held = default(ReadOnlyMemory<byte>);
        while (reader.Left > 0)
        {
            var at = reader.Position;
            var bytes = reader.Read(next);
            // Of this piece what is behind the offset, and still value.
            var begin = (int)Math.Clamp(from - at, 0, bytes);
            var end = (int)Math.Clamp(value.ValueBytes - at, begin, bytes);
            if (end == begin)
                continue;
            if (held.Length > 0)
                await WriteAsync(held);
            held = next.AsMemory(begin, end - begin);
            (last, next) = (next, last);
        }

        if (held.Length > 0)
            await WriteAsync(held);

        // Serialised when the call has returned: its memory may be used again.
        Task WriteAsync(ReadOnlyMemory<byte> piece) => output.WriteAsync(new ValuePiece { Data = UnsafeByteOperations.UnsafeWrap(piece) }, ending);
    }
}
