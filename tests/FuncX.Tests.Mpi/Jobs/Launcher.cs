namespace FuncX.Tests.Mpi.Jobs;

/// <summary>A program that starts the ranks of one MPI.</summary>
public enum Launcher
{
    /// <summary>Open MPI's mpirun.</summary>
    OpenMpi,

    /// <summary>MPICH's Hydra.</summary>
    Mpich,
}
