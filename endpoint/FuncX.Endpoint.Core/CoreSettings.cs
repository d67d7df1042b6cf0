namespace FuncX.Endpoint.Core;

/// <summary>What the core needs to know of an endpoint's configuration. Times are microseconds.</summary>
public sealed record CoreSettings
{
    /// <summary>Workers of one manager: the tasks it runs at a time. 1 and up.</summary>
    public int WorkersPerManager { get; init; } = 1;

    /// <summary>Managers that one block is expected to bring; for scaling before they are there.</summary>
    public int ManagersPerBlock { get; init; } = 1;

    /// <summary>Tasks sent ahead per worker, 0 to 1024; null: follow the measured durations.</summary>
    public int? Prefetch { get; init; }

    public int BlocksMin { get; init; }

    public int BlocksInit { get; init; }

    public int BlocksMax { get; init; } = 1;

    /// <summary>Workers wanted per task that waits or runs: 1 is one each, 0.5 half as many.</summary>
    public double Parallelism { get; init; } = 1;

    /// <summary>How long a block above the minimum may be idle.</summary>
    public long BlockIdle { get; init; } = 120_000_000;

    /// <summary>The longest walltime that a block of this endpoint can serve, from its first moment on; a task with a longer one cannot run here.</summary>
    public long LongestTask { get; init; } = long.MaxValue;

    /// <summary>Silence after which a manager's connection is given up: five heartbeats.</summary>
    public long HeartbeatTimeout { get; init; } = 5_000_000;

    /// <summary>How long a manager whose connection broke may take to come back before its tasks count as lost.</summary>
    public long ReconnectGrace { get; init; } = 5_000_000;

    /// <summary>Bytes of tasks one manager holds before it gets no more than one per worker.</summary>
    public long BytesPerManager { get; init; } = 64 << 20;

    /// <summary>Begins the id of every block that this process asks for, so that ids never repeat over restarts.</summary>
    public string BlockPrefix { get; init; } = "b";
}
