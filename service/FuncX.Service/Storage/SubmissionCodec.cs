using System.Buffers.Binary;
using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>
/// A submitted batch within a chunk. Pure.
/// <code>
/// varint owner | 12 batch | varint function | varint endpoint | text group | u8 content type | u8 priority | varint attempts | varint walltime | varint deadline
/// 16 content hash | i64 accepted | zigzag client sent | varint count | u8 flags (1 same length, 2 large bodies, 4 retry, 8 after) | retry | varint count, dependencies | lengths | large bodies | small bodies
/// </code>
/// </summary>
public static class SubmissionCodec
{
    private const int SameLength = 1;
    private const int LargeBodies = 2;
    private const int Retries = 4;
    private const int Dependencies = 8;

    public static void WriteHead(ChunkBuffer output, SubmissionRecord batch)
    {
        output.Varint(batch.Key.Owner);
        batch.Key.Id.Write(output.Take(BatchId.Size));
        output.Varint(batch.Function);
        output.Varint(batch.Endpoint);
        output.Text(batch.Group);
        output.Byte((byte)batch.ContentType);
        output.Byte(batch.Priority);
        output.Varint(batch.MaxAttempts);
        output.Varint(batch.WalltimeMilliseconds);
        output.Varint(batch.Deadline);
        BinaryPrimitives.WriteUInt128LittleEndian(output.Take(16), batch.Content);
        output.Fixed64(batch.Accepted);
        output.Zigzag(batch.ClientSent - batch.Accepted);
        output.Varint(batch.Count);
        output.Byte((byte)((batch.Offsets is null ? SameLength : 0) | (batch.Large is null ? 0 : LargeBodies) | (batch.Retry is null ? 0 : Retries) | (batch.After is null ? 0 : Dependencies)));
        batch.Retry?.Write(output);
        if (batch.After is { } after)
        {
            output.Varint(after.Count);
            foreach (var dependency in after)
                dependency.Write(output);
        }

        if (batch.Offsets is null)
        {
            output.Varint(batch.SameLength);
        }
        else
        {
            for (var index = 0; index < batch.Count; index++)
                output.Varint(batch.Offsets[index + 1] - batch.Offsets[index]);
        }

        if (batch.Large is null)
            return;
        for (var index = 0; index < batch.Count; index++)
        {
            output.Varint(batch.LargeBytes![index]);
            if (batch.LargeBytes[index] > 0)
                batch.Large[index].Write(output);
        }
    }

    /// <summary>Reads a whole submission; its bodies stay slices of <paramref name="bytes"/>.</summary>
    /// <exception cref="ChunkException">It contradicts itself.</exception>
    public static SubmissionRecord Read(ReadOnlyMemory<byte> bytes)
    {
        var input = new ChunkCursor(bytes.Span);
        var owner = input.Count();
        var id = BatchId.Read(input.Bytes(BatchId.Size));
        var function = input.Count();
        var endpoint = input.Count();
        var group = input.Text();
        var contentType = (ContentType)input.Byte();
        var priority = input.Byte();
        var attempts = (ushort)input.Count(ushort.MaxValue);
        var walltime = (uint)input.Varint();
        var deadline = input.Signed();
        var content = BinaryPrimitives.ReadUInt128LittleEndian(input.Bytes(16));
        var accepted = input.Fixed64();
        var clientSent = accepted + input.Zigzag();
        var count = input.Count(1 << 24);
        var flags = input.Byte();
        var retry = (flags & Retries) != 0 ? RetryPolicy.Read(ref input) : null;
        Dependency[]? after = (flags & Dependencies) != 0 ? new Dependency[input.Count(Dependency.Most)] : null;
        for (var index = 0; index < after?.Length; index++)
            after[index] = Dependency.Read(ref input);
        int[]? offsets = null;
        var sameLength = 0;
        long small;
        if ((flags & SameLength) != 0)
        {
            sameLength = input.Count();
            small = (long)sameLength * count;
        }
        else
        {
            if (count > input.Left)
                throw new ChunkException($"batch {id} says it has {count} tasks in {input.Left} bytes");
            offsets = new int[count + 1];
            for (var index = 0; index < count; index++)
                offsets[index + 1] = checked(offsets[index] + input.Count());
            small = offsets[count];
        }

        SegmentReference[]? large = null;
        int[]? largeBytes = null;
        if ((flags & LargeBodies) != 0)
        {
            large = new SegmentReference[count];
            largeBytes = new int[count];
            for (var index = 0; index < count; index++)
            {
                largeBytes[index] = input.Count();
                if (largeBytes[index] > 0)
                    large[index] = SegmentReference.Read(ref input);
            }
        }

        if (small != input.Left)
            throw new ChunkException($"batch {id} has {input.Left} bytes of bodies; its lengths say {small}");
        return new SubmissionRecord
        {
            Key = new BatchKey(id, owner),
            Function = function,
            Endpoint = endpoint,
            Group = group,
            ContentType = contentType,
            Priority = priority,
            MaxAttempts = attempts,
            Retry = retry,
            After = after,
            WalltimeMilliseconds = walltime,
            Deadline = deadline,
            Content = content,
            Accepted = accepted,
            ClientSent = clientSent,
            Count = count,
            Offsets = offsets,
            SameLength = sameLength,
            Large = large,
            LargeBytes = largeBytes,
            Bodies = bytes[input.Position..],
        };
    }
}
