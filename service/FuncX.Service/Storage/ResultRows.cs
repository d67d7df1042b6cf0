using System.Buffers.Binary;
using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>
/// One decoded result section; the object and its arrays are used again for the next. Not for two threads at once. The small bodies stay where
/// they are: <see cref="BodiesOffset"/> in the section.
/// </summary>
public sealed class ResultRows
{
    /// <summary>Bytes before the first field that differs per task: what <see cref="IsOf"/> looks at.</summary>
    private const int GroupOffset = 4;

    private readonly long[][] _times = new long[ResultSectionWriter.Columns][];

    public BatchKey Batch { get; private set; }

    public long BatchNumber { get; private set; }

    public ulong Group { get; private set; }

    public ResultFlags Flags { get; private set; }

    public long BatchCommitted { get; private set; }

    public int Count { get; private set; }

    public int[] Index { get; private set; } = [];

    public TaskOutcome[] Outcome { get; private set; } = [];

    public ContentType[] ContentType { get; private set; } = [];

    public int[] ValueBytes { get; private set; } = [];

    public int[] StdoutBytes { get; private set; } = [];

    public int[] StderrBytes { get; private set; } = [];

    public short[] Code { get; private set; } = [];

    public ushort[] Attempt { get; private set; } = [];

    public SegmentReference[] Large { get; private set; } = [];

    /// <summary>Where the bodies begin, counted from the section's first byte.</summary>
    public int BodiesOffset { get; private set; }

    /// <summary>Length of a section, its length field included.</summary>
    public static int LengthOf(ReadOnlySpan<byte> sections) => sections.Length >= 4 && BinaryPrimitives.ReadInt32LittleEndian(sections) is var length and >= 0 && length <= sections.Length - 4
        ? length + 4
        : throw new ChunkException($"a result section does not fit the {sections.Length} bytes that are left");

    /// <summary>Whether a section belongs to a group, without decoding it. A group's number is a hash, so the owner has to be compared as well.</summary>
    public static bool IsOf(ReadOnlySpan<byte> section, ulong group) => BinaryPrimitives.ReadUInt64LittleEndian(section[GroupOffset..]) == group;

    public int BodyBytes(int row) => ValueBytes[row] + StdoutBytes[row] + StderrBytes[row];

    public long Time(ResultTimes column, int row) => _times[(int)column][row];

    /// <summary>Decodes the section at the front of <paramref name="section"/>.</summary>
    /// <exception cref="ChunkException">It contradicts itself.</exception>
    public void Read(ReadOnlySpan<byte> section, long chunkTime)
    {
        section = section[..LengthOf(section)];
        var input = new ChunkCursor(section);
        input.Skip(4);
        Group = (ulong)input.Fixed64();
        var owner = input.Count();
        Batch = new BatchKey(BatchId.Read(input.Bytes(BatchId.Size)), owner);
        BatchNumber = input.Signed();
        Count = input.Count(section.Length * 8);
        if (Count == 0)
            throw new ChunkException($"a result section of batch {Batch.Id} is empty");
        Flags = (ResultFlags)input.Byte();
        var kinds = input.Byte() | (input.Byte() << 8);
        BatchCommitted = input.Fixed64();
        if (Index.Length < Count)
            Grow(Count);
        ReadColumns(ref input);
        for (var column = 0; column < _times.Length; column++)
            ReadTimes(ref input, _times[column], (kinds >> (column * 2)) & 3, chunkTime);
        BodiesOffset = input.Position;
        long bodies = 0;
        for (var row = 0; row < Count; row++)
            bodies += Large[row].IsNone ? BodyBytes(row) : 0;
        if (bodies != input.Left)
            throw new ChunkException($"a result section of batch {Batch.Id} has {input.Left} bytes of bodies; its lengths say {bodies}");
    }

    private void Grow(int count)
    {
        count = Math.Max(count, 16);
        Index = new int[count];
        Outcome = new TaskOutcome[count];
        ContentType = new ContentType[count];
        ValueBytes = new int[count];
        StdoutBytes = new int[count];
        StderrBytes = new int[count];
        Code = new short[count];
        Attempt = new ushort[count];
        Large = new SegmentReference[count];
        for (var column = 0; column < _times.Length; column++)
            _times[column] = new long[count];
    }

    private void ReadColumns(ref ChunkCursor input)
    {
        Index[0] = input.Count();
        for (var row = 1; row < Count; row++)
            Index[row] = (Flags & ResultFlags.Contiguous) != 0 ? Index[row - 1] + 1 : checked((int)(Index[row - 1] + input.Zigzag()));
        if ((Flags & ResultFlags.AllValues) != 0)
        {
            Outcome.AsSpan(0, Count).Fill(TaskOutcome.Value);
        }
        else
        {
            for (var row = 0; row < Count; row++)
                Outcome[row] = (TaskOutcome)input.Byte();
        }

        ContentType[0] = (ContentType)input.Byte();
        for (var row = 1; row < Count; row++)
            ContentType[row] = (Flags & ResultFlags.SameContentType) != 0 ? ContentType[0] : (ContentType)input.Byte();
        ValueBytes[0] = input.Count();
        for (var row = 1; row < Count; row++)
            ValueBytes[row] = (Flags & ResultFlags.SameLength) != 0 ? ValueBytes[0] : input.Count();
        var output = (Flags & ResultFlags.Output) != 0;
        for (var row = 0; row < Count; row++)
        {
            StdoutBytes[row] = output ? input.Count() : 0;
            StderrBytes[row] = output ? input.Count() : 0;
        }

        for (var row = 0; row < Count; row++)
            Code[row] = (Flags & ResultFlags.Codes) != 0 ? (short)input.Zigzag() : (short)0;
        for (var row = 0; row < Count; row++)
            Attempt[row] = (Flags & ResultFlags.AllFirstAttempts) != 0 ? (ushort)1 : (ushort)input.Count(ushort.MaxValue);
        for (var row = 0; row < Count; row++)
            Large[row] = (Flags & ResultFlags.Large) != 0 ? SegmentReference.Read(ref input) : default;
    }

    private void ReadTimes(ref ChunkCursor input, long[] times, int kind, long chunkTime)
    {
        if (kind == ResultSectionWriter.ColumnAbsent)
        {
            times.AsSpan(0, Count).Clear();
            return;
        }

        times[0] = chunkTime + input.Zigzag();
        if (kind == ResultSectionWriter.ColumnSame)
        {
            times.AsSpan(1, Count - 1).Fill(times[0]);
            return;
        }

        for (var row = 1; row < Count; row++)
            times[row] = times[row - 1] + input.Zigzag();
    }
}
