using FuncX.Contracts.V1;

namespace FuncX.Client;

/// <summary>What may be said about calls beyond function, endpoint and arguments.</summary>
public sealed record CallSettings
{
    /// <summary>Longest run of one attempt; null: the endpoint's limit.</summary>
    public TimeSpan? Walltime { get; init; }

    /// <summary>When a call must have started; later it ends as expired.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Higher runs first among one user's calls.</summary>
    public byte Priority { get; init; }

    /// <summary>Executions allowed when infrastructure fails; 0: the service's default (3). 1 is at most once.</summary>
    public int MaxAttempts { get; init; }

    internal TaskOptions ToContract()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(MaxAttempts);
        return new TaskOptions
        {
            WalltimeMs = Walltime is { } walltime ? checked((uint)Math.Max(1, (long)walltime.TotalMilliseconds)) : 0,
            Deadline = Deadline is { } deadline ? (deadline.UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond : 0,
            Priority = Priority,
            MaxAttempts = (uint)MaxAttempts,
        };
    }
}
