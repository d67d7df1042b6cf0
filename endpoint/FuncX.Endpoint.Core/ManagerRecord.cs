namespace FuncX.Endpoint.Core;

internal enum ManagerState : byte
{
    /// <summary>The number is free.</summary>
    Unknown = 0,

    /// <summary>Connected, its inventory not yet read.</summary>
    Opening = 1,

    /// <summary>Takes tasks.</summary>
    Ready = 2,

    /// <summary>Its connection broke; it may come back with what it holds.</summary>
    Away = 3,

    /// <summary>Connected, but its block is being ended or its own end is near: it finishes what it has.</summary>
    Leaving = 4,
}

/// <summary>Which ring of managers one is in.</summary>
internal enum ManagerRoom : byte
{
    /// <summary>In none: no room, or not ready.</summary>
    None = 0,

    /// <summary>A worker of it has nothing to do.</summary>
    FreeWorker = 1,

    /// <summary>All workers busy, but tasks may be sent ahead.</summary>
    Ahead = 2,
}

/// <summary>What the core knows of one manager.</summary>
internal struct ManagerRecord
{
    /// <summary>Tasks that short functions have sent ahead, in time: what a worker works off while a round trip lasts.</summary>
    private const long AheadMicroseconds = 10_000;

    private const int MaxAhead = 1024;

    /// <summary>Without a result for so long, or for twice what its tasks last, a manager that has short tasks works on something else.</summary>
    private const long StillMicroseconds = 3_000;

    // Between the decision and the beginning; what waits longer at its manager comes back.
    private const long OnTheWay = 500_000;

    public string Name;
    public Block Block;
    public ManagerState State;
    public ManagerRoom Room;
    public bool Blocked;

    /// <summary>It has said itself that it takes no more tasks.</summary>
    public bool SaysLeaving;
    public bool Reserved;

    /// <summary>It stood still when tasks could have been sent ahead to it: it gets none before its next result.</summary>
    public bool Still;

    /// <summary>Tasks it holds that run alone: while there is one it gets nothing else.</summary>
    public int Alone;
    public int Next;
    public int Previous;
    public int Workers;
    public int Ahead;
    public TaskList Tasks;
    public long Bytes;
    public DurationEstimate Duration;
    public long LastHeard;
    public long LastProgress;
    public long LastRecall;
    public long AwaySince;

    /// <summary>When it ends with its job, as it last said; <see cref="long.MaxValue"/>: it does not know.</summary>
    public long EndsAt;

    /// <summary>Number in <see cref="Requirements"/> of what it has, 0 not known.</summary>
    public int Runtimes;

    public readonly int InFlight => Tasks.Count;

    public readonly int Capacity => Workers * (1 + Ahead);

    /// <summary>Its tasks are known to last no longer than what is sent ahead of them.</summary>
    public readonly bool IsShort => Duration.Microseconds is > 0 and <= AheadMicroseconds;

    public readonly bool StandsStill(long now) => IsShort && now - LastProgress > Math.Max(StillMicroseconds, 2 * Duration.Microseconds);

    /// <summary>Whether a task that is sent now ends by itself before the manager does, as far as its walltime says.</summary>
    public readonly bool Lasts(uint walltime, long now) => walltime == 0 || EndsAt - now >= (walltime * 1000L) + OnTheWay;

    /// <summary>Tasks it holds that no worker of it can have begun.</summary>
    public readonly int Surplus => Math.Max(0, Tasks.Count - Workers);

    /// <summary>Follows the durations seen: about ten milliseconds of work per worker.</summary>
    public void Measure(long microseconds)
    {
        Duration.Add(microseconds);
        Ahead = (int)Math.Min(MaxAhead, AheadMicroseconds / Duration.Microseconds);
    }
}
