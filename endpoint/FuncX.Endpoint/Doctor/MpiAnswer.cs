namespace FuncX.Endpoint.Doctor;

/// <summary>What a machine has of MPI.</summary>
internal sealed record MpiAnswer
{
    public required IReadOnlyList<MpiLauncher> Launchers { get; init; }

    /// <summary>What srun can have ranks find each other by (<c>--mpi=list</c>).</summary>
    public required IReadOnlyList<string> SlurmKinds { get; init; }

    /// <summary>Whether the library is Open MPI's; else it has MPICH's ABI.</summary>
    public required bool IsOpenMpi { get; init; }

    /// <summary>The library that ranks would load; empty: none.</summary>
    public required string Library { get; init; }

    public required string LibraryVersion { get; init; }

    /// <summary>Why there is none.</summary>
    public required string LibraryProblem { get; init; }

    public string Family => IsOpenMpi ? "Open MPI's ABI" : "MPICH's ABI";

    /// <summary>By what srun must have ranks of this library find each other.</summary>
    public string SlurmKind => IsOpenMpi ? "pmix" : LibraryVersion.Contains("CRAY", StringComparison.OrdinalIgnoreCase) ? "cray_shasta" : "pmi2";
}
