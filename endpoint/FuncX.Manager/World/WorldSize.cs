using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary>Whether the world has as many ranks as were launched. An MPI that was not started by its own launcher makes a world of one in each process.</summary>
internal static class WorldSize
{
    /// <summary>What is wrong and what cures it, or null.</summary>
    /// <param name="wanted">0: any number is right.</param>
    /// <param name="size">Of the world.</param>
    /// <param name="library">The one that was loaded.</param>
    /// <param name="environment">A variable of this process, or null.</param>
    public static string? Problem(int wanted, int size, MpiLibrary library, Func<string, string?> environment)
    {
        if (wanted == 0 || wanted == size)
            return null;
        var said = $"this MPI world has {size} rank{(size == 1 ? "" : "s")}, and {wanted} were to be started; the library is {library.Path} (\"{library.Version.Split('\n')[0]}\")";
        if (size != 1)
            return $"{said}. Check the number of ranks that the launcher was given.";
        var openMpi = library.Abi == MpiAbi.OpenMpi;
        if (IsSet("SLURM_PROCID") && !IsSet("OMPI_COMM_WORLD_SIZE"))
        {
            return openMpi
                ? $"{said}. srun told it nothing: this Open MPI under srun needs --mpi=pmix (srun --mpi=list says what there is), or start it with mpirun."
                : $"{said}. srun told it nothing: this MPICH under srun needs --mpi=pmi2 (srun --mpi=list says what there is), or start it with mpiexec.";
        }

        if (openMpi && IsSet("PMI_RANK"))
            return $"{said}. It was started by MPICH's launcher: use Open MPI's mpirun, or set {MpiOptions.LibraryVariable} to MPICH's libmpi.";
        if (!openMpi && IsSet("OMPI_COMM_WORLD_SIZE"))
            return $"{said}. It was started by Open MPI's mpirun: use MPICH's mpiexec, or set {MpiOptions.LibraryVariable} to Open MPI's libmpi.";
        return $"{said}. It was not started by the launcher of this MPI: use that one, or set {MpiOptions.LibraryVariable} to the libmpi that belongs to the launcher.";

        bool IsSet(string variable) => !string.IsNullOrEmpty(environment(variable));
    }
}
