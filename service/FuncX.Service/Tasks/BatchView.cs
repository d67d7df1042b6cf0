using FuncX.Contracts.V1;
using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>A copy of what is known of a batch, for use outside the turn. Of an unfinished one only some tasks, from <see cref="From"/> on.</summary>
internal sealed record BatchView(
    long Number, BatchKey Key, string Group, int Function, int Endpoint, int Count, long Committed, uint MaxAttempts, long SubmitChunk, int SubmitOffset, int SubmitBytes, IReadOnlyList<long> ResultChunks)
{
    /// <summary>Null: all are done.</summary>
    public TaskSlot[]? Slots { get; init; }

    public int From { get; init; }

    /// <summary>What it still waits for before its tasks may be handed out.</summary>
    public int WaitingFor { get; init; }

    /// <summary>Why its endpoint runs nothing, when it does not.</summary>
    public string EndpointNote { get; init; } = "";

    public static BatchView Of(Batch batch, int from, int most) => new(
        batch.Number, batch.Key, batch.Group.Name, batch.Function, batch.Endpoint.Number, batch.Count, batch.Committed, batch.AllowedAttempts, batch.SubmitChunk, batch.SubmitOffset, batch.SubmitBytes, [.. batch.ResultChunks])
    {
        From = from,
        WaitingFor = batch.Waits?.Count ?? 0,
        EndpointNote = batch.Endpoint.Link is { } link ? link.Status?.Note ?? "" : "the endpoint is not connected",
        Slots = batch.Finished ? null : batch.Slots.AsSpan(Math.Min(from, batch.Count), Math.Max(0, Math.Min(most, batch.Count - from))).ToArray(),
    };

    public static BatchView Of(FinishedRecord record) => new(
        0, record.Key, record.Group, record.Function, record.Endpoint, record.Count, 0, 0, record.SubmitChunk, record.SubmitOffset, record.SubmitBytes, record.ResultChunks);

    /// <summary>Whether the task is among those that were copied.</summary>
    public bool Has(int index) => Slots is null || (uint)(index - From) < (uint)Slots.Length;

    public TaskState StateOf(int index) => Slots is null ? TaskState.Done : Slots[index - From].State switch
    {
        SlotState.Queued => TaskState.Queued,
        SlotState.Dispatched => TaskState.Dispatched,
        _ => TaskState.Done,
    };

    public ushort AttemptOf(int index) => Slots is null ? (ushort)0 : Slots[index - From].Attempt;

    public ushort LossesOf(int index) => Slots is null ? (ushort)0 : Slots[index - From].Losses;

    public long SentOf(int index) => Slots is null ? 0 : Slots[index - From].Sent;
}
