using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>A batch as it was accepted.</summary>
public sealed record SubmissionRecord
{
    public required BatchKey Key { get; init; }

    /// <summary>The service's numbers of function and endpoint.</summary>
    public required int Function { get; init; }

    public required int Endpoint { get; init; }

    public required string Group { get; init; }

    /// <summary>Labels that it brings to its group, null: none. They are kept by group and not with the batch; what is read again has none.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    public required ContentType ContentType { get; init; }

    public byte Priority { get; init; }

    public ushort MaxAttempts { get; init; } = 3;

    public RetryPolicy? Retry { get; init; }

    /// <summary>What must have ended before its tasks start; null: nothing.</summary>
    public IReadOnlyList<Dependency>? After { get; init; }

    public uint WalltimeMilliseconds { get; init; }

    /// <summary>Unix microseconds, 0 none.</summary>
    public long Deadline { get; init; }

    /// <summary>Hash of everything that makes two submissions the same one.</summary>
    public UInt128 Content { get; init; }

    public long ClientSent { get; init; }

    public long Accepted { get; init; }

    public required int Count { get; init; }

    /// <summary>Where each body begins in <see cref="Bodies"/>, and the end of the last; null when all have <see cref="SameLength"/> bytes.</summary>
    public int[]? Offsets { get; init; }

    public int SameLength { get; init; }

    /// <summary>Where each large body lies, none for the small ones; null when all are small. Large ones are left out of <see cref="Bodies"/>.</summary>
    public SegmentReference[]? Large { get; init; }

    /// <summary>Length of each large body, 0 for the small ones; null when all are small.</summary>
    public int[]? LargeBytes { get; init; }

    /// <summary>The small bodies, one after another.</summary>
    public ReadOnlyMemory<byte> Bodies { get; init; }

    /// <summary>All bodies, large ones among them, as they came: only while they are kept in memory.</summary>
    public ReadOnlyMemory<byte> Came { get; init; }

    /// <summary>Where each body begins in <see cref="Came"/>, and the end of the last.</summary>
    public int[]? CameAt { get; init; }

    /// <summary>Bytes of one task's arguments.</summary>
    public int BytesOf(int index) => LargeBytes is not null && LargeBytes[index] > 0 ? LargeBytes[index]
        : Offsets is null ? SameLength : Offsets[index + 1] - Offsets[index];
}
