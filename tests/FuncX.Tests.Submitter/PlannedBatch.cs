using FuncX.Wire;

namespace FuncX.Tests.Submitter;

/// <summary>A batch of the journal: calls <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> - 1.</summary>
public sealed class PlannedBatch(BatchId id, int first, int count)
{
    public BatchId Id { get; } = id;

    public int First { get; } = first;

    public int Count { get; } = count;

    public bool Accepted { get; set; }
}
