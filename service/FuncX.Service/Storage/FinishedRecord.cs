namespace FuncX.Service.Storage;

/// <summary>A finished batch: enough to find its results, and to know it again when it is submitted once more.</summary>
public sealed record FinishedRecord(
    BatchKey Key,
    int Function,
    int Endpoint,
    string Group,
    int Count,
    int Failed,
    UInt128 Content,
    long SubmitChunk,
    int SubmitOffset,
    int SubmitBytes,
    IReadOnlyList<long> ResultChunks);
