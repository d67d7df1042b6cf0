using FuncX.Endpoint.Core.Launching;

namespace FuncX.Endpoint.Doctor;

/// <summary>What a machine has of MPI.</summary>
internal sealed record MpiAnswer
{
    public required IReadOnlyList<MpiLauncher> Launchers { get; init; }

    /// <summary>What srun can have ranks find each other by (<c>--mpi=list</c>).</summary>
    public required string SlurmKinds { get; init; }

    /// <summary>The library that ranks would load; null: none.</summary>
    public required RankLibrary? Library { get; init; }

    /// <summary>Why there is none.</summary>
    public required string LibraryProblem { get; init; }
}
