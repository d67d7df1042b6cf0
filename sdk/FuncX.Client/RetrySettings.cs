using FuncX.Contracts.V1;

namespace FuncX.Client;

/// <summary>Makes a call again when its function fails.</summary>
/// <param name="Times">How often at most.</param>
public sealed record RetrySettings(int Times)
{
    /// <summary>Types of exceptions, whole or their last part; <c>*</c> is any, <c>TimedOut</c> a walltime that was too short. Empty: any exception.</summary>
    public IReadOnlyList<string> On { get; init; } = [];

    /// <summary>Before the first time, and twice as long before each further one, up to an hour. The service looks once a second.</summary>
    public TimeSpan Backoff { get; init; }

    internal RetryOptions ToContract()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Times, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Backoff, TimeSpan.Zero);
        return new RetryOptions { Times = (uint)Times, BackoffMs = checked((uint)Backoff.TotalMilliseconds), On = { On } };
    }
}
