namespace FuncX.Bench;

/// <summary>What was asked on the command line.</summary>
internal sealed record BenchSettings
{
    /// <summary>Small runs.</summary>
    public bool Quick { get; init; }

    /// <summary>Measure other systems beside.</summary>
    public bool Peers { get; init; }

    public int? Tasks { get; init; }

    public int? Runs { get; init; }

    public int Workers { get; init; }

    /// <summary>The beginning of a figure's name; others are left out. Null: all. Throughput and mpi only: they have several parts.</summary>
    public string? Only { get; init; }

    /// <summary>The kind of function that throughput calls.</summary>
    public string Kind { get; init; } = "python";

    /// <summary>Metrics are on and read once a second, and a thousandth of the tasks is traced. Throughput of Python only.</summary>
    public bool Watched { get; init; }

    /// <summary>Scale only: draws curves of strong and weak scaling.</summary>
    public bool Grid { get; init; }

    /// <summary>What launches MPI worlds: <c>mpirun</c> (Open MPI) or <c>mpiexec</c> (MPICH).</summary>
    public string Launcher { get; init; } = "mpirun";

    public bool Wants(string figure) => Only is null || figure.StartsWith(Only, StringComparison.Ordinal);

    public int TasksOr(int full, int quick) => Tasks ?? (Quick ? quick : full);

    public int RunsOr(int full) => Runs ?? (Quick ? 1 : full);
}
