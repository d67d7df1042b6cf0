namespace FuncX.Endpoint.Core.Launching;

/// <summary>How ranks that srun starts find each other: by what their MPI library speaks, of what this Slurm has.</summary>
public static class SlurmMpi
{
    private static readonly char[] s_between = [' ', '\t', '\n', '\r'];

    /// <summary>The value of <c>--mpi</c>; null: Slurm's own default, since nothing that is known to serve is there.</summary>
    /// <param name="library">Null: not known.</param>
    /// <param name="list">What <c>srun --mpi=list</c> prints.</param>
    public static string? Choose(RankLibrary? library, string? list) => library is not null && list is not null && Kinds(list).Contains(Needed(library)) ? Needed(library) : null;

    /// <summary>The value of <c>--mpi</c> that ranks of the library need.</summary>
    // Open MPI under pmi2 aborts in MPI_Init, MPICH under pmix makes a world of one in each process. Cray's library brings its own with it.
    public static string Needed(RankLibrary library) => library switch { { IsOpenMpi: true } => "pmix", { IsCray: true } => "cray_shasta", _ => "pmi2" };

    /// <summary>What <c>srun --mpi=list</c> lists, and the words that it puts around it.</summary>
    public static IReadOnlyList<string> Kinds(string list) => list.Split(s_between, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether an argument of srun says how ranks find each other.</summary>
    public static bool IsArgument(string argument) => argument == "--mpi" || argument.StartsWith("--mpi=", StringComparison.Ordinal);

    /// <summary>Why srun cannot start ranks of this library; empty: it can, or it is not known.</summary>
    /// <param name="library">Null: not known.</param>
    /// <param name="list">What <c>srun --mpi=list</c> prints; null: not known.</param>
    /// <param name="step">Runs srun with one task and these options, and gives why that came to nothing. A kind that is listed may lack the library that it loads then.</param>
    public static string Problem(RankLibrary? library, string? list, Func<string, string> step)
    {
        if (library is null or { IsCray: true } || list is null)
            return "";
        if (Choose(library, list) is { } kind)
            return step(kind) is { Length: > 0 } said ? $"srun --mpi={kind} does not work here: {said}" : "";
        return $"srun has no --mpi={Needed(library)}, which {library.Version} needs";
    }
}
