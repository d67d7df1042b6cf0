namespace FuncX.Manager.World;

/// <summary>
/// How long the MPI thread sleeps between two looks: not at all for 200 looks after traffic or 150 us, whichever is shorter, then an eighth of the time that has been quiet, from 50 us up to 36 ms. An answer
/// is so seen late by at most an eighth of what it took, and an idle rank wakes less than 30 times a second. Where threads wait for processors, what one spends on looking another lacks: it looks
/// 16 times and sleeps 150 us at least.
/// </summary>
internal sealed class WorldBackOff
{
    public const int Looks = 200;
    public const int LooksCrowded = 16;
    public const long LookingMicroseconds = 150;
    public const long ShortestMicroseconds = 50;
    public const long ShortestCrowdedMicroseconds = 150;
    public const long LongestMicroseconds = 36_000;

    /// <summary>Looks after each sleep: the first may only fetch what has come, without seeing it (MPI_Improbe of Open MPI's ob1 makes progress after it has looked).</summary>
    public const int LooksAwake = 3;
    private const int Share = 8;

    private int _left = Looks + LooksAwake;
    private long _quietSince;

    /// <summary>The thread has to wait for a processor.</summary>
    public bool Crowded { get; set; }

    /// <summary>There was traffic; heartbeats are none.</summary>
    public void OnTraffic(long now)
    {
        _left = (Crowded ? LooksCrowded : Looks) + LooksAwake;
        _quietSince = now;
    }

    /// <summary>Microseconds to sleep before the next look.</summary>
    public long Next(long now)
    {
        if (now - _quietSince > LookingMicroseconds)
            _left = Math.Min(_left, LooksAwake);
        if (--_left > 0)
            return 0;
        _left = LooksAwake;
        return Math.Clamp((now - _quietSince) / Share, Crowded ? ShortestCrowdedMicroseconds : ShortestMicroseconds, LongestMicroseconds);
    }
}
