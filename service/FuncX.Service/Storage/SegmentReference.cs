namespace FuncX.Service.Storage;

/// <summary>Where a large body lies: file number, offset, and the XXH3 of its bytes. Its length stands beside it in the chunk.</summary>
public readonly record struct SegmentReference(int File, long Offset, ulong Digest)
{
    public bool IsNone => File == 0;

    public void Write(ChunkBuffer output)
    {
        output.Varint(File);
        output.Varint(Offset);
        output.Fixed64((long)Digest);
    }

    public static SegmentReference Read(ref ChunkCursor input) => new(input.Count(), input.Signed(), (ulong)input.Fixed64());
}
