namespace FuncX.Manager.World;

/// <summary>
/// How long the MPI thread sleeps between two looks. Right after traffic not at all, for 200 looks or 150 us, whichever is shorter, where half of all pauses of the traffic end within that; where they last longer,
/// or where threads wait for processors, what is spent on looking is lost to others, and it looks 16 times. Then it sleeps an eighth of the time that has been quiet, at least 50 us or an eighth of the usual pause,
/// whichever is longer, and 36 ms at most: an answer is seen late by an eighth of what it took, a rank that hears something every 3 ms wakes eight times meanwhile, and an idle one less than 30 times a second.
/// </summary>
internal sealed class WorldBackOff
{
    public const int Looks = 200;
    public const int LooksShort = 16;
    public const long LookingMicroseconds = 150;
    public const long ShortestMicroseconds = 50;
    public const long ShortestCrowdedMicroseconds = 150;
    public const long LongestMicroseconds = 36_000;

    /// <summary>A usual pause is not taken for longer: until it is known that traffic has become denser, it is seen late by an eighth of this.</summary>
    public const long LongestUsualMicroseconds = 3_200;

    /// <summary>Looks after each sleep: the first may only fetch what has come, without seeing it (MPI_Improbe of Open MPI's ob1 makes progress after it has looked).</summary>
    public const int LooksAwake = 3;
    private const int Share = 8;

    private int _left = Looks + LooksAwake;
    private int _looked;
    private long _quietSince;

    // Follows the median: each pause moves it by an eighth, up or down.
    private long _usualPause = LookingMicroseconds / 2;

    /// <summary>The thread has to wait for a processor.</summary>
    public bool Crowded { get; set; }

    private bool LooksPay => !Crowded && _usualPause <= LookingMicroseconds;

    /// <summary>There was traffic; heartbeats are none.</summary>
    public void OnTraffic(long now)
    {
        // What the short look finds anyhow says nothing about longer ones.
        if (_looked > LooksShort)
        {
            var change = (_usualPause / Share) + 1;
            _usualPause = Math.Clamp(_usualPause + (now - _quietSince > _usualPause ? change : -change), ShortestMicroseconds, LongestUsualMicroseconds);
        }

        _left = (LooksPay ? Looks : LooksShort) + LooksAwake;
        _looked = 0;
        _quietSince = now;
    }

    /// <summary>Microseconds to sleep before the next look.</summary>
    public long Next(long now)
    {
        _looked++;
        if (now - _quietSince > LookingMicroseconds)
            _left = Math.Min(_left, LooksAwake);
        if (--_left > 0)
            return 0;
        _left = LooksAwake;
        var shortest = Math.Max(Crowded ? ShortestCrowdedMicroseconds : ShortestMicroseconds, _usualPause / Share);
        return Math.Clamp((now - _quietSince) / Share, shortest, LongestMicroseconds);
    }
}
