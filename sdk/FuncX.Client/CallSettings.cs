using System.Collections.ObjectModel;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client;

/// <summary>What may be said about calls beyond function, endpoint and arguments.</summary>
public sealed record CallSettings
{
    private static readonly TimeSpan ShortestWalltime = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestWalltime = TimeSpan.FromMilliseconds(uint.MaxValue);

    /// <summary>Longest run of one attempt, 1 ms to 49 days; null: the endpoint's limit.</summary>
    public TimeSpan? Walltime { get; init; }

    /// <summary>When a call must have started; later it ends as expired.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Higher runs first among one user's calls.</summary>
    public byte Priority { get; init; }

    /// <summary>
    /// A call ends as lost when so many of its executions are known to be lost with their worker, manager or block; 0: the service's default (3). 1 is at most once: it
    /// also ends when its endpoint is started anew and may have run it.
    /// </summary>
    public int MaxAttempts { get; init; }

    /// <summary>Whether a call whose function fails is made again; null: it is not.</summary>
    public RetrySettings? Retry { get; init; }

    /// <summary>
    /// Tasks of the same group that must have ended with a value before a call starts; the service must have accepted them (<see cref="TaskHandle{T}.Accepted"/>). When one
    /// ends otherwise the call ends as rejected, with the type <c>DependencyFailed</c>.
    /// </summary>
    public IReadOnlyList<TaskId> After { get; init; } = [];

    /// <summary>The same for all tasks of whole batches, as <see cref="FuncXClient.SubmitAllAsync"/> gives them.</summary>
    public IReadOnlyList<BatchId> AfterBatches { get; init; } = [];

    internal bool WaitsForOthers => After.Count > 0 || AfterBatches.Count > 0;

    /// <summary>
    /// Labels that these calls bring to their group, which keeps those it has beside them; up to 32. A key is 1 to 64 letters, digits, '.', '_', '/' or '-', a value has up to 256
    /// characters. Every message brings them: one that is removed while a map runs comes back.
    /// </summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    internal TaskOptions ToContract()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(MaxAttempts);
        return new TaskOptions
        {
            WalltimeMs = Walltime is { } walltime ? Milliseconds(walltime) : 0,
            Deadline = Deadline is { } deadline ? (deadline.UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond : 0,
            Priority = Priority,
            MaxAttempts = (uint)MaxAttempts,
            Retry = Retry?.ToContract(),
            After = { After.Select(static task => task.ToString()), AfterBatches.Select(static batch => batch.ToString()) },
        };
    }

    private static uint Milliseconds(TimeSpan walltime) => walltime >= ShortestWalltime && walltime <= LongestWalltime
        ? (uint)walltime.TotalMilliseconds
        : throw new ArgumentOutOfRangeException(
            nameof(walltime), walltime, $"A walltime is 1 ms to {LongestWalltime} (the service counts milliseconds in 32 bits).");
}
