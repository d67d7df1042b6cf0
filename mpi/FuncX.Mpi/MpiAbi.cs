namespace FuncX.Mpi;

/// <summary>The two binary interfaces that MPI libraries of supercomputers and clusters have.</summary>
public enum MpiAbi
{
    /// <summary>Handles are integers: MPICH, Intel MPI, Cray MPICH, MVAPICH (https://www.mpich.org/abi/).</summary>
    Mpich,

    /// <summary>Handles are addresses of exported symbols: Open MPI 4 and 5 and what is built from it.</summary>
    OpenMpi,
}
