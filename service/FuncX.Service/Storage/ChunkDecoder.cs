namespace FuncX.Service.Storage;

/// <summary>Walks a chunk from its first change to its last result section.</summary>
public sealed class ChunkDecoder
{
    private readonly ResultRows _rows = new();

    /// <exception cref="ChunkException">The chunk contradicts itself.</exception>
    public void Walk(ReadOnlyMemory<byte> chunk, in ChunkHeader header, IChangeTarget target)
    {
        Changes(chunk, header, target);
        var sections = chunk[header.ResultsOffset..];
        var offset = 0;
        for (var ordinal = 0; ordinal < header.ResultSections; ordinal++)
        {
            var left = sections.Span[offset..];
            _rows.Read(left, header.Time);
            target.Results(_rows, ordinal, offset);
            offset += ResultRows.LengthOf(left);
        }

        if (offset != sections.Length)
            throw new ChunkException($"chunk {header.Id} has {sections.Length - offset} bytes behind its last result section");
    }

    private static void Changes(ReadOnlyMemory<byte> chunk, in ChunkHeader header, IChangeTarget target)
    {
        var input = new ChunkCursor(chunk.Span[..header.ResultsOffset]);
        input.Skip(ChunkHeader.Size);
        while (input.Left > 0)
        {
            var kind = (ChangeKind)input.Byte();
            switch (kind)
            {
                case ChangeKind.Submitted:
                    var bytes = input.Count();
                    var offset = input.Position;
                    input.Skip(bytes);
                    target.Submitted(SubmissionCodec.Read(chunk.Slice(offset, bytes)), offset, bytes);
                    break;
                case ChangeKind.Dispatched:
                    target.Dispatched(header.FirstBatch + input.Zigzag(), input.Count(), input.Count());
                    break;
                case ChangeKind.Requeued:
                    target.Requeued(header.FirstBatch + input.Zigzag(), input.Count(), (ushort)input.Count(ushort.MaxValue));
                    break;
                case ChangeKind.AttemptLost:
                    target.AttemptLost(header.FirstBatch + input.Zigzag(), input.Count());
                    break;
                case ChangeKind.Retried:
                    target.Retried(header.FirstBatch + input.Zigzag(), input.Count(), (ushort)input.Count(ushort.MaxValue));
                    break;
                case ChangeKind.CancelAsked:
                    target.CancelAsked(header.FirstBatch + input.Zigzag(), input.Count());
                    break;
                case ChangeKind.Linked:
                    target.Linked(input.Count(), (uint)input.Count(), input.Text());
                    break;
                case ChangeKind.Indexed:
                    target.Indexed(input.Count());
                    break;
                case ChangeKind.EndpointDeleted:
                    target.EndpointDeleted(input.Count());
                    break;
                default:
                    throw new ChunkException($"chunk {header.Id} has a change of unknown kind {(byte)kind} at byte {input.Position - 1}");
            }
        }
    }
}
