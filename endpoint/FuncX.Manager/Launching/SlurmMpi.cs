namespace FuncX.Manager.Launching;

/// <summary>How ranks that srun starts find each other: by what their MPI library speaks, of what this Slurm has.</summary>
internal static class SlurmMpi
{
    private static readonly char[] s_between = [' ', '\t', '\n', '\r'];

    /// <summary>The value of <c>--mpi</c>; null: Slurm's own default, since nothing that is known to serve is there.</summary>
    /// <param name="library">Null: not known.</param>
    /// <param name="list">What <c>srun --mpi=list</c> prints.</param>
    public static string? Choose(RankLibrary? library, string? list)
    {
        if (library is null || list is null)
            return null;
        // Open MPI under pmi2 aborts in MPI_Init, MPICH under pmix makes a world of one in each process. Cray's library brings its own with it.
        var wanted = library switch { { IsOpenMpi: true } => "pmix", { IsCray: true } => "cray_shasta", _ => "pmi2" };
        return list.Split(s_between, StringSplitOptions.RemoveEmptyEntries).Contains(wanted) ? wanted : null;
    }

    /// <summary>Why srun cannot start ranks of this library; empty: it can, or it is not known.</summary>
    /// <param name="step">Runs srun with one task and these options, and gives why that came to nothing. A kind that is listed may lack the library that it loads then.</param>
    public static string Problem(RankLibrary? library, string? list, Func<string, string> step)
    {
        if (library is null or { IsCray: true } || list is null)
            return "";
        if (Choose(library, list) is { } kind)
            return step(kind) is { Length: > 0 } said ? $"srun --mpi={kind} does not work here: {said}" : "";
        return $"srun has no --mpi={(library.IsOpenMpi ? "pmix" : "pmi2")}, which {library.Version} needs";
    }
}
