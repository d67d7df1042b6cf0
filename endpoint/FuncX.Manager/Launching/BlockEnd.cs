namespace FuncX.Manager.Launching;

/// <summary>
/// When the block's job ends, and what comes before it: worlds take no more tasks and give back what they have not begun; later what still runs is ended and answered as lost; then the
/// agent ends what is left, all before the scheduler would.
/// </summary>
/// <param name="At">When the scheduler ends the job.</param>
/// <param name="DrainAt">When worlds begin to drain.</param>
/// <param name="DrainFor">How long running tasks may take then.</param>
internal sealed record BlockEnd(DateTimeOffset At, DateTimeOffset DrainAt, TimeSpan DrainFor)
{
    private const double LastPart = 0.1;

    // A year: whoever says more says nothing.
    private const long MostSeconds = 31_536_000;

    // What tasks that were ended need to be answered, and launchers to be over.
    private static readonly TimeSpan s_last = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_shortest = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    // What the scheduler said was a moment old, and clocks of nodes agree within seconds.
    private static readonly TimeSpan s_same = TimeSpan.FromSeconds(30);

    /// <summary>When the agent ends launchers that are still there.</summary>
    public DateTimeOffset EndAt => At - (s_last / 2);

    /// <param name="at">When the job ends.</param>
    /// <param name="now">A tenth of what is left from now on is for the drain, 20 s to a minute.</param>
    public static BlockEnd Of(DateTimeOffset at, DateTimeOffset now)
    {
        var part = (at - now) * LastPart;
        var drain = part < s_shortest ? s_shortest : part > s_longest ? s_longest : part;
        return new BlockEnd(at, at - drain, drain - s_last);
    }

    /// <summary>As a world is told when it is launched.</summary>
    public static BlockEnd Told(DateTimeOffset drainAt, TimeSpan drainFor) => new(drainAt + drainFor + s_last, drainAt, drainFor);

    /// <summary>This end or, when the job has been made longer since, the later one.</summary>
    /// <param name="microseconds">When the job ends, Unix. Never sooner than it was known to: the word of a job that began anew may still be the old one.</param>
    public BlockEnd Prolonged(long microseconds, DateTimeOffset now)
    {
        var since = (microseconds / 1_000_000) - At.ToUnixTimeSeconds();
        return since > s_same.TotalSeconds && since < MostSeconds ? Of(At.AddSeconds(since), now) : this;
    }

    /// <summary>For a manager that its job starts on each node: what the job's environment says, else the walltime that was asked for. Thousands of them do not ask the controller.</summary>
    /// <returns>Null: no walltime was asked for, the manager lives as long as it is let.</returns>
    public static BlockEnd? Find(TimeSpan? walltime, DateTimeOffset now)
    {
        if (walltime is null)
            return null;
        try
        {
            return Find(Allocation.Find(Environment.GetEnvironmentVariable, static _ => [Environment.MachineName]), null, walltime, now);
        }
        catch (FormatException)
        {
            // Which nodes the job has is of no interest here.
            return Of(now + walltime.Value, now);
        }
    }

    /// <summary>The first that says something: the job's environment, the controller, the walltime that was asked for.</summary>
    /// <returns>Null: nobody does.</returns>
    public static BlockEnd? Find(Allocation? allocation, SlurmJobView? view, TimeSpan? walltime, DateTimeOffset now)
    {
        if ((allocation?.End ?? (now + (view?.Left ?? walltime))) is not { } at)
            return null;
        return Of(at, now);
    }
}
