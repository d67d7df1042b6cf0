namespace FuncX.Wire;

/// <summary>
/// How parts of large bodies share a way with small frames: while small ones pass, whoever sends the parts rests six times as long after each as it took, so that they have a
/// seventh of the way, and of the processors behind it, at most. Alone they need not rest. Times are microseconds of a clock that never jumps. Not thread safe.
/// </summary>
/// <param name="leastRest">A rest is at least so long; where sending only hands over to others, what it takes says little.</param>
public sealed class LargePace(long leastRest = 0)
{
    /// <summary>So long after a small frame the parts still rest.</summary>
    public const long BesideMicroseconds = 20_000;

    /// <summary>So many times as long as a part took its sender rests.</summary>
    public const int Rests = 6;

    private long _smallAt = long.MinValue / 2;
    private long _restsUntil;

    /// <summary>When the next part may go; at once when that has passed.</summary>
    public long Due => Math.Min(_restsUntil, _smallAt + BesideMicroseconds);

    /// <summary>A small frame was sent.</summary>
    public void OnSmall(long now) => _smallAt = now;

    /// <summary>A part of a large body was sent.</summary>
    /// <param name="now">When it had been.</param>
    /// <param name="took">How long that took.</param>
    public void OnLarge(long now, long took) => _restsUntil = now + Math.Max(leastRest, Rests * took);
}
