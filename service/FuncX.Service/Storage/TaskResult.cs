using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>One outcome as it is committed. Times are Unix microseconds, 0 unknown.</summary>
public struct TaskResult
{
    public BatchId Batch;
    public int Owner;
    public int Index;
    public ushort Attempt;
    public TaskOutcome Outcome;
    public ContentType ContentType;
    public short Code;
    public int StdoutBytes;
    public int StderrBytes;
    public long Sent;
    public long EndpointReceived;
    public long EndpointSent;
    public long ManagerReceived;
    public long WorkerStarted;
    public long WorkerEnded;
    public long EndpointBack;
    public long ServiceBack;

    /// <summary>Bytes of value, stdout and stderr together.</summary>
    public int BodyBytes;

    /// <summary>value | stdout | stderr, when <see cref="Large"/> is none.</summary>
    public ReadOnlyMemory<byte> Body;

    /// <summary>Where the body lies when it is large.</summary>
    public SegmentReference Large;

    /// <summary>The type of a failure that is too large to stay in memory; else null. Not stored.</summary>
    public string? FailureType;

    /// <summary>A lost attempt that its node's end cut off. Not stored.</summary>
    public bool CutOff;

    /// <summary>Next result of the same batch within a turn, -1 the last. Not stored.</summary>
    public int Next;

    public readonly int ValueBytes => BodyBytes - StdoutBytes - StderrBytes;
}
