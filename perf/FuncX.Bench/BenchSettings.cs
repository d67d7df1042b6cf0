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

    /// <summary>The beginning of a figure's name; others are left out. Null: all. For benches that have several parts.</summary>
    public string? Only { get; init; }

    /// <summary>The kind of function that throughput calls.</summary>
    public string Kind { get; init; } = "python";

    /// <summary>Metrics are on and read once a second, and a thousandth of the tasks is traced. Throughput of Python only.</summary>
    public bool Watched { get; init; }

    /// <summary>Scale only: draws curves of strong and weak scaling.</summary>
    public bool Grid { get; init; }

    /// <summary>What launches MPI worlds, as <c>launcher.type</c> has it: <c>mpirun</c> (Open MPI), <c>mpiexec</c> (MPICH), and in a job the others too.</summary>
    public string Launcher { get; init; } = "mpirun";

    /// <summary>Scale only: the nodes of the job that the bench runs in; null: it runs in none.</summary>
    public int? Nodes { get; init; }

    /// <summary>With <see cref="Nodes"/>: workers of each.</summary>
    public int WorkersPerNode { get; init; } = 64;

    /// <summary>With <see cref="Nodes"/>: Python workers instead of simulated ones.</summary>
    public bool Real { get; init; }

    /// <summary>With <see cref="Nodes"/>: how long the job lasts, where its scheduler does not tell it inside.</summary>
    public string? Walltime { get; init; }

    public bool Wants(string figure) => Only is null || figure.StartsWith(Only, StringComparison.Ordinal);

    public int TasksOr(int full, int quick) => Tasks ?? (Quick ? quick : full);

    public int RunsOr(int full) => Runs ?? (Quick ? 1 : full);
}
