namespace FuncX.Service.Tasks;

/// <summary>One result section in the log: the chunk, which of its sections, and where that begins.</summary>
public readonly record struct ResultPosition(long Chunk, int Ordinal, int Offset)
{
    private const int OrdinalBits = 20;

    /// <summary>Most sections of one chunk.</summary>
    public const int MostSections = (1 << OrdinalBits) - 2;

    /// <summary>What a client passes back to go on behind this section.</summary>
    public ulong Cursor => ((ulong)Chunk << OrdinalBits) | (uint)(Ordinal + 1);

    public static (long Chunk, int Sections) Split(ulong cursor) => ((long)(cursor >> OrdinalBits), (int)(cursor & ((1 << OrdinalBits) - 1)));
}
