using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;

namespace FuncX.Service.Observation;

/// <summary>A task that ended and becomes a trace: its outcome with the time of each hop. Times are Unix microseconds, 0 unknown.</summary>
public readonly record struct TracedTask(TaskId Task, TaskResult Result)
{
    public required int Function { get; init; }

    public required int Endpoint { get; init; }

    /// <summary>0 with <see cref="Accepted"/>: the submission says both.</summary>
    public required long ClientSent { get; init; }

    public required long Accepted { get; init; }

    public required long ServiceCommitted { get; init; }

    /// <summary>Where the submission lies: chunk, offset and bytes.</summary>
    public required (long Chunk, int Offset, int Bytes) Submission { get; init; }

    public long ResultCommitted { get; init; }

    /// <summary>A task that ends now.</summary>
    public static TracedTask Of(Batch batch, in TaskResult result) => new(new TaskId(batch.Key.Id, (uint)result.Index), result with { Body = default })
    {
        Function = batch.Function,
        Endpoint = batch.Endpoint.Number,
        ClientSent = batch.ClientSent,
        Accepted = batch.Accepted,
        ServiceCommitted = batch.Committed,
        Submission = (batch.SubmitChunk, batch.SubmitOffset, batch.SubmitBytes),
    };
}
