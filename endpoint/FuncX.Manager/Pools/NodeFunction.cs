using FuncX.Manager.Engine;

namespace FuncX.Manager.Pools;

/// <summary>
/// A function of one owner as this node knows it: the frame that tells a worker, under a number that holds for the manager's life (the endpoint's
/// numbers hold for one connection), and how long its tasks last.
/// </summary>
internal sealed class NodeFunction(uint number, Slab slab)
{
    /// <summary>An estimate for a task that must have its worker to itself.</summary>
    public const int Unknown = 1_000_000_000;

    /// <summary>Number in frames to workers.</summary>
    public uint Number { get; } = number;

    /// <summary>The whole <c>Function</c> message, segments included.</summary>
    public Slab Slab { get; } = slab;

    /// <summary>Microseconds a task of it lasts, an average that follows rises faster than falls; <see cref="Unknown"/> before the first.</summary>
    public int EstimateMicroseconds { get; private set; } = Unknown;

    /// <summary>It writes to descriptor 1 or 2 behind the worker's back: only one task at a time makes clear whose output that is.</summary>
    public bool WritesRawOutput { get; set; }

    public void Observe(long microseconds)
    {
        var seen = (int)Math.Clamp(microseconds, 0, Unknown - 1);
        if (EstimateMicroseconds == Unknown)
            EstimateMicroseconds = seen;
        else if (seen > EstimateMicroseconds)
            EstimateMicroseconds += (seen - EstimateMicroseconds + 1) / 2;
        else
            EstimateMicroseconds -= (EstimateMicroseconds - seen) / 8;
    }
}
