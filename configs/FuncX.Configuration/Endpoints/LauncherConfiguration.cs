namespace FuncX.Configuration;

/// <summary>How frames reach the managers.</summary>
public enum TransportKind
{
    /// <summary>Every manager dials the endpoint.</summary>
    Tcp,

    /// <summary>The leader of each world dials in and forwards over MPI.</summary>
    Mpi,
}

/// <summary>What starts the ranks of a world.</summary>
public enum LauncherKind
{
    Detect,
    Mpirun,
    Mpiexec,
    Srun,
    Aprun,
    Pals,
}

/// <summary>The <c>launcher</c> section.</summary>
public sealed record LauncherConfiguration
{
    public LauncherKind Type { get; init; } = LauncherKind.Detect;

    /// <summary>Ranks of one MPI job inside a block; 1 to 8,192.</summary>
    public int RanksPerWorld { get; init; } = 128;

    /// <summary>Further arguments of the launcher.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];
}
