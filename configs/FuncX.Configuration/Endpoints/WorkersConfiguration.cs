namespace FuncX.Configuration;

/// <summary>How a worker's cores are chosen.</summary>
public enum CpuAffinity
{
    None,
    Block,
    Alternating,
}

/// <summary>How a worker comes to be.</summary>
public enum WorkerIsolation
{
    /// <summary>Forked from a prepared interpreter, runs many tasks.</summary>
    Fork,

    /// <summary>Started fresh, runs many tasks.</summary>
    Spawn,

    /// <summary>Started for each task.</summary>
    PerTask,
}

/// <summary>The <c>workers</c> section: the workers of one node.</summary>
public sealed record WorkersConfiguration
{
    /// <summary>Workers of one node; 1 to 4,096. Left out with the local provider: this machine's cores divided by <see cref="CoresPerWorker"/>.</summary>
    public int PerNode { get; init; } = 1;

    /// <summary>Cores of one worker, also its threads in OpenMP, OpenBLAS and MKL; 1 to 4,096.</summary>
    public int CoresPerWorker { get; init; } = 1;

    /// <summary>Bytes of memory of one worker; null: not limited.</summary>
    public long? MemoryPerWorker { get; init; }

    public CpuAffinity CpuAffinity { get; init; } = CpuAffinity.None;

    /// <summary>Accelerators dealt out to the workers, by the number or name the driver gives them.</summary>
    public IReadOnlyList<string> Accelerators { get; init; } = [];

    /// <summary>Bash lines run once per node; the environment they leave is that of the workers. Empty: none.</summary>
    public string Init { get; init; } = "";

    /// <summary>The interpreter: a path, or a name found in PATH after <see cref="Init"/>.</summary>
    public string Python { get; init; } = "python3";

    /// <summary>Modules a zygote imports before it forks.</summary>
    public IReadOnlyList<string> Preload { get; init; } = [];

    public WorkerIsolation Isolation { get; init; } = WorkerIsolation.Fork;

    /// <summary>Tasks sent ahead per worker, 0 to 1,024; null: by the durations seen (<c>auto</c>).</summary>
    public int? Prefetch { get; init; }

    /// <summary>A worker that has had no task for this long is ended.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Workers only wait; to measure a machine before users come.</summary>
    public bool Simulate { get; init; }

    /// <summary>Most workers of a simulated manager.</summary>
    public const int MostSimulated = 64;

    /// <summary>With <see cref="Simulate"/>: how many managers each node is, 1 to 16,384, each with its <see cref="PerNode"/> workers.</summary>
    public int ManagersPerNode { get; init; } = 1;
}
