namespace FuncX.Manager.World;

/// <summary>
/// How long the MPI thread sleeps between two looks: not at all for 200 looks after traffic or 150 us, whichever is shorter, then an eighth of the time that has been quiet, from 50 us up to 36 ms. An answer
/// is so seen late by at most an eighth of what it took, and an idle rank wakes less than 30 times a second.
/// </summary>
internal sealed class WorldBackOff
{
    public const int Looks = 200;
    public const long LookingMicroseconds = 150;
    public const long ShortestMicroseconds = 50;
    public const long LongestMicroseconds = 36_000;

    /// <summary>Looks after each sleep: the first may only fetch what has come, without seeing it (MPI_Improbe of Open MPI's ob1 makes progress after it has looked).</summary>
    public const int LooksAwake = 3;
    private const int Share = 8;

    private int _looks;
    private long _quietSince;

    /// <summary>There was traffic; heartbeats are none.</summary>
    public void OnTraffic(long now)
    {
        _looks = 0;
        _quietSince = now;
    }

    /// <summary>Microseconds to sleep before the next look.</summary>
    public long Next(long now)
    {
        if (_looks < Looks && now - _quietSince > LookingMicroseconds)
            _looks = Looks;
        if (++_looks < Looks + LooksAwake)
            return 0;
        _looks = Looks;
        return Math.Clamp((now - _quietSince) / Share, ShortestMicroseconds, LongestMicroseconds);
    }
}
