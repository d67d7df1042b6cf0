namespace FuncX.Tests.Integration.Harness;

/// <summary>The client's own hop: tasks it has planned to send, that the service has acknowledged, that it has noted an outcome of.</summary>
public readonly record struct SubmitterCounts(long Planned, long Acknowledged, long Outcomes)
{
    public long Unacknowledged => Planned - Acknowledged;
}
