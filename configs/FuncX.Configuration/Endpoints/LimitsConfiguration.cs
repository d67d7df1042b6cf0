namespace FuncX.Configuration;

/// <summary>The <c>limits</c> section.</summary>
public sealed record LimitsConfiguration
{
    /// <summary>The most that <see cref="Output"/> may be: what a result on its way, and the service, have room for beside its value.</summary>
    public const long LargestOutput = 16L << 20;

    /// <summary>Longest run of a task; null: none.</summary>
    public TimeSpan? TaskWalltime { get; init; }

    /// <summary>Bytes of one result; above it the outcome is <c>too large</c>.</summary>
    public long Result { get; init; } = 256L << 20;

    /// <summary>Bytes kept of a task's stdout and of its stderr, up to <see cref="LargestOutput"/>.</summary>
    public long Output { get; init; } = 1L << 20;

    /// <summary>Lost executions that end a task here even when it may have more, 1 to 1,000; 1: at most once; null: what the task may have.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Bytes of results kept on disk while the service is away; at the limit dispatch stops.</summary>
    public long Spool { get; init; } = 10L << 30;
}
