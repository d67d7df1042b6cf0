using System.Diagnostics;

namespace FuncX.Service.Limits;

/// <summary>What one user takes of the limits that are per user and not about tasks. Shared by all of the user's tokens; safe for any thread.</summary>
public sealed class OwnerUsage
{
    private readonly long _ticksPerRequest;
    private readonly int _streamLimit;
    private long _paidUntil;
    private int _streams;

    public OwnerUsage(ServiceLimits limits)
    {
        _ticksPerRequest = limits.RequestsPerSecond > 0 ? Math.Max(1, Stopwatch.Frequency / limits.RequestsPerSecond) : 0;
        _streamLimit = limits.StreamsPerUser;
    }

    /// <summary>Streams open now.</summary>
    public int OpenStreams => Volatile.Read(ref _streams);

    /// <summary>Counts one call against the rate, with a second's worth of burst.</summary>
    /// <param name="now">A <see cref="Stopwatch"/> timestamp.</param>
    public bool TryTakeRequest(long now)
    {
        if (_ticksPerRequest == 0)
            return true;
        // Each call pays one interval of time in advance; who has paid further than a second ahead has used up the burst.
        var paid = Volatile.Read(ref _paidUntil);
        while (true)
        {
            var next = Math.Max(paid, now) + _ticksPerRequest;
            if (next - now > Stopwatch.Frequency)
                return false;
            var seen = Interlocked.CompareExchange(ref _paidUntil, next, paid);
            if (seen == paid)
                return true;
            paid = seen;
        }
    }

    /// <summary>Opens a stream unless the user has as many as allowed; <see cref="CloseStream"/> gives it back.</summary>
    public bool TryOpenStream()
    {
        if (Interlocked.Increment(ref _streams) <= _streamLimit)
            return true;
        Interlocked.Decrement(ref _streams);
        return false;
    }

    public void CloseStream() => Interlocked.Decrement(ref _streams);
}
