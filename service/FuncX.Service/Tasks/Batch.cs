using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>A batch that has unfinished tasks, or is finished and not yet in the index on disk. Owned by the turn.</summary>
public sealed class Batch
{
    public required long Number { get; init; }

    public required BatchKey Key { get; init; }

    public required GroupState Group { get; init; }

    public required EndpointState Endpoint { get; init; }

    public required int Function { get; init; }

    public required int Count { get; init; }

    public required UInt128 Content { get; init; }

    public required byte ContentType { get; init; }

    public required byte Priority { get; init; }

    /// <summary>Lost executions of one task that end it, as its submission asked.</summary>
    public required ushort MaxAttempts { get; init; }

    /// <summary>The same as far as its endpoint allows it.</summary>
    public ushort AllowedAttempts => Math.Min(MaxAttempts, Endpoint.MaxAttempts);

    /// <summary>Null: what fails is not tried again.</summary>
    public RetryPolicy? Retry { get; init; }

    public required uint WalltimeMilliseconds { get; init; }

    public required long Deadline { get; init; }

    /// <summary>Its queued tasks were ended for it; sent ones may come back.</summary>
    public bool DeadlinePassed { get; set; }

    /// <summary>Unix microseconds when the submission was durable.</summary>
    public long Committed { get; set; }

    /// <summary>When the client sent it and the service took it, for its traces; 0 when it was read from a snapshot: then the submission's chunk says it.</summary>
    public long ClientSent { get; init; }

    public long Accepted { get; init; }

    /// <summary>Chunk and offset of the submission.</summary>
    public long SubmitChunk { get; set; }

    public int SubmitOffset { get; set; }

    public int SubmitBytes { get; set; }

    /// <summary>The submission with its bodies while it is kept in memory; else it is read again from its chunk.</summary>
    public SubmissionRecord? Record { get; set; }

    /// <summary>Lengths of the bodies, as in <see cref="SubmissionRecord"/>.</summary>
    public int SameLength { get; init; }

    public int[]? Offsets { get; set; }

    public int[]? LargeBytes { get; set; }

    /// <summary>Empty once the batch is finished.</summary>
    public TaskSlot[] Slots { get; set; } = [];

    /// <summary>What it still has to wait for before its tasks may be handed out; null: nothing.</summary>
    public HashSet<(BatchKey Batch, int Index)>? Waits { get; set; }

    /// <summary>What it waited for and what did not end with a value: its tasks end without running.</summary>
    public Dependency? Broken { get; set; }

    /// <summary>Its tasks may not be handed out.</summary>
    public bool IsHeldBack => Waits is not null || Broken is not null;

    /// <summary>Who waits for its tasks, or for all of them (<see cref="Dependency.Whole"/>); null: nobody.</summary>
    public Dictionary<int, List<Batch>>? Dependents { get; set; }

    public int Queued { get; set; }

    public int Dispatched { get; set; }

    public int Done { get; set; }

    /// <summary>Done with another outcome than a value.</summary>
    public int Failed { get; set; }

    public bool Finished => Done == Count;

    /// <summary>Chunks with results of this batch, rising.</summary>
    public List<long> ResultChunks { get; } = new(1);

    /// <summary>Chain of this turn's results; -1 none.</summary>
    public int TurnFirst { get; set; } = -1;

    public int TurnLast { get; set; } = -1;

    /// <summary>Bytes of one task's arguments.</summary>
    public int BytesOf(int index) => LargeBytes is not null && LargeBytes[index] > 0 ? LargeBytes[index]
        : Offsets is null ? SameLength : Offsets[index + 1] - Offsets[index];
}
