namespace FuncX.Mpi.Loading;

/// <summary>Which libraries to try, in order.</summary>
internal static class LibraryNames
{
    private static readonly string[] OpenMpi = ["libmpi.so.40"];

    private static readonly string[] Mpich =
    [
        // The name that the MPICH ABI initiative agreed on: MPICH, Intel MPI, MVAPICH, cray-mpich-abi.
        "libmpi.so.12",
        // Debian's and Ubuntu's MPICH.
        "libmpich.so.12",
        // Cray's, one per compiler of the programming environment.
        "libmpi_cray.so.12", "libmpi_gnu.so.12", "libmpi_gnu_123.so.12", "libmpi_gnu_112.so.12", "libmpi_gnu_103.so.12", "libmpi_gnu_91.so.12",
        "libmpi_intel.so.12", "libmpi_nvidia.so.12", "libmpi_amd.so.12", "libmpi_aocc.so.12",
    ];

    // Only there with development packages, and on a machine with two MPIs it may belong to either.
    private static readonly string[] Either = ["libmpi.so"];

    // Set by mpirun and by srun --mpi=pmix for each rank. An MPICH may be built with PMIx too; it is tried second then.
    private static readonly string[] OpenMpiLaunchers = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK"];

    // Set by Hydra, srun --mpi=pmi2, Cray's PALS and ALPS.
    private static readonly string[] MpichLaunchers = ["PMI_RANK", "PMI_SIZE", "PMI_FD", "PALS_RANKID", "ALPS_APP_PE"];

    /// <summary>
    /// A name that was given is the only one. Otherwise the usual names, first those of the MPI whose launcher started this process: a rank with
    /// the other library would find itself alone.
    /// </summary>
    public static IReadOnlyList<LibraryCandidate> InOrder(string? configured, Func<string, string?> environment)
    {
        if (!string.IsNullOrEmpty(configured))
            return [new(configured, "it was configured")];
        if (environment(MpiOptions.LibraryVariable) is { Length: > 0 } named)
            return [new(named, $"{MpiOptions.LibraryVariable} names it")];

        var mpichFirst = !OpenMpiLaunchers.Any(IsSet) && MpichLaunchers.Any(IsSet);
        string[] names = mpichFirst ? [.. Mpich, .. OpenMpi, .. Either] : [.. OpenMpi, .. Mpich, .. Either];
        return [.. names.Select(static name => new LibraryCandidate(name, "a usual name"))];

        bool IsSet(string variable) => !string.IsNullOrEmpty(environment(variable));
    }
}
