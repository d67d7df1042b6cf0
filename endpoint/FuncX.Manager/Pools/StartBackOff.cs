namespace FuncX.Manager.Pools;

/// <summary>
/// When workers of an owner may be started again after some that came to nothing: the first time at once, then after 400 ms, which double up to half a minute.
/// When three came to nothing in a row and no other worker serves or is starting, the tasks that wait are answered with the reason, and so are those that come for a while
/// unless a worker is ready after all. One that serves begins anew. Plain state: no clock.
/// </summary>
internal sealed class StartBackOff
{
    /// <summary>Failures in a row until the tasks that wait are told.</summary>
    public const int Most = 3;

    public const long PauseMicroseconds = 400_000;
    public const long LongestPauseMicroseconds = 30_000_000;

    /// <summary>How long tasks are turned away when trying again would change nothing.</summary>
    public const long HoldMicroseconds = 30_000_000;

    /// <summary>How long when somebody or the kernel killed the last one: another may do well.</summary>
    public const long KillHoldMicroseconds = 1_000_000;

    private int _failures;

    /// <summary>Until when no worker is started.</summary>
    public long RetryAt { get; private set; }

    /// <summary>Until when tasks are turned away.</summary>
    public long HeldUntil { get; private set; }

    /// <summary>A start came to nothing.</summary>
    /// <param name="now">Microseconds, on any clock that only goes forward.</param>
    /// <param name="bySignal">It was killed.</param>
    /// <param name="othersMayServe">Others serve, so that tasks get done if more slowly, or are still starting.</param>
    /// <returns>True: tasks are turned away from now on.</returns>
    public bool Failed(long now, bool bySignal, bool othersMayServe)
    {
        // What was started together with the last one fails for the same reason: it counts once.
        var counts = now >= RetryAt;
        _failures += counts ? 1 : 0;
        if (_failures >= Most && !othersMayServe)
        {
            Hold(now, bySignal ? KillHoldMicroseconds : HoldMicroseconds);
            return true;
        }

        if (!counts)
            return false;
        var pause = _failures == 1 ? 0 : Math.Min(PauseMicroseconds << Math.Min(_failures - 2, 16), LongestPauseMicroseconds);
        RetryAt = Math.Max(HeldUntil, now + pause);
        return false;
    }

    /// <summary>Trying would change nothing: tasks are turned away without.</summary>
    public void Refuse(long now) => Hold(now, HoldMicroseconds);

    /// <summary>A worker has served: nothing that was true before stands in its way.</summary>
    public void Served()
    {
        _failures = 0;
        HeldUntil = RetryAt = 0;
    }

    private void Hold(long now, long microseconds)
    {
        _failures = 0;
        HeldUntil = Math.Max(HeldUntil, now + microseconds);
        RetryAt = HeldUntil;
    }
}
