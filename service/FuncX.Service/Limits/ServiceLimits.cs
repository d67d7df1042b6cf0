namespace FuncX.Service.Limits;

/// <summary>What the service takes before it refuses. Every refusal names the limit by its YAML key (the property in snake_case), its value and what was asked.</summary>
public sealed record ServiceLimits
{
    /// <summary>Arguments of one task, in bytes.</summary>
    public int PayloadBytes { get; init; } = 10 << 20;

    /// <summary>Value of one task, in bytes. Those too large for a message are fetched in pieces.</summary>
    public int ResultBytes { get; init; } = 256 << 20;

    /// <summary>Tasks of one batch.</summary>
    public int BatchTasks { get; init; } = 10_000;

    /// <summary>Arguments of all tasks of one batch, in bytes.</summary>
    public int BatchBytes { get; init; } = 32 << 20;

    /// <summary>Unfinished tasks of one endpoint.</summary>
    public long QueuePerEndpoint { get; init; } = 5_000_000;

    /// <summary>Unfinished tasks of one user; and for a batch that runs after others, these and all that the user's batches wait for.</summary>
    public long QueuePerUser { get; init; } = 10_000_000;

    /// <summary>Lost executions that end a task which asks for no number itself.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>The most lost executions that a task may ask for.</summary>
    public int MostAttempts { get; init; } = 1_000;

    /// <summary>How long results can be read after they were committed.</summary>
    public TimeSpan ResultRetention { get; init; } = TimeSpan.FromDays(14);

    /// <summary>One gRPC message, in bytes.</summary>
    public int RequestBytes { get; init; } = 64 << 20;

    /// <summary>Calls per second of one user, with a second's worth of burst; messages within a stream do not count. 0: no limit.</summary>
    public int RequestsPerSecond { get; init; } = 100_000;

    /// <summary>Open streams of one user (submissions, results). Links are not among them.</summary>
    public int StreamsPerUser { get; init; } = 1_000;

    /// <summary>Registered functions of one user.</summary>
    public int FunctionsPerUser { get; init; } = 10_000;

    /// <summary>Code of one function, in bytes.</summary>
    public int CodeBytes { get; init; } = 5 << 20;

    /// <summary>Registered containers of one user.</summary>
    public int ContainersPerUser { get; init; } = 1_000;

    /// <summary>Registered endpoints of one user.</summary>
    public int EndpointsPerUser { get; init; } = 1_000;
}
