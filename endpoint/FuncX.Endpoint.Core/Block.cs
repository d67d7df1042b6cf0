namespace FuncX.Endpoint.Core;

internal enum BlockPhase : byte
{
    Requested,
    Running,

    /// <summary>Its job is near its end, or it is one too many: it takes no more tasks.</summary>
    Draining,

    /// <summary>It was told to end, or has ended.</summary>
    Ending,
}

/// <summary>One pilot job as the core sees it.</summary>
internal sealed class Block(string id)
{
    public string Id { get; } = id;

    public BlockPhase Phase { get; set; }

    /// <summary>Whether a manager of it ever connected: a block without one has failed to start.</summary>
    public bool HadManager { get; set; }

    /// <summary>When the first one did.</summary>
    public long ManagerSince { get; set; }

    /// <summary>It has brought a result, or lived long enough to count as one that works.</summary>
    public bool Served { get; set; }

    /// <summary>It is one too many and ends as soon as nothing runs on it.</summary>
    public bool Retiring { get; set; }

    /// <summary>Managers that an earlier process of this endpoint has left it with, and that may come back with tasks until <see cref="AwaitedUntil"/>; 0: it is this process's own.</summary>
    public int Awaited { get; set; }

    public long AwaitedUntil { get; set; }

    /// <summary>Its managers that have said what they hold, counted at a tick.</summary>
    public int Managers { get; set; }

    /// <summary>Tasks at its managers, counted at a tick.</summary>
    public int InFlight { get; set; }

    /// <summary>Since when nothing was in flight, or it was not needed and had not started; 0 otherwise.</summary>
    public long IdleSince { get; set; }

    /// <summary>Why its job waits, as its scheduler has said last; empty: it does not wait, or nobody has said.</summary>
    public string PendingReason { get; set; } = "";

    /// <summary>It has ended because its time was over: what its managers have is lost by no fault of its own.</summary>
    public bool CutOff { get; set; }

    /// <summary>When its job ends, as its scheduler has said last; 0: it has not.</summary>
    public long EndsAt { get; set; }

    /// <summary>Its scheduler has its processes stand still: what it had is lost by no fault of its own.</summary>
    public bool Suspended { get; set; }

    /// <summary>Whether nothing runs on it of which this process has not been told yet.</summary>
    public bool IsKnown(long now) => Managers >= Awaited || now >= AwaitedUntil;
}
