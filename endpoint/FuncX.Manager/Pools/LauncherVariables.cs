namespace FuncX.Manager.Pools;

/// <summary>
/// What an MPI launcher tells each rank in its environment. A task that calls MPI_Init would take itself for that rank, and wait for others or end the world; a launcher that a task
/// starts would take itself for part of it. What names the job and its nodes (SLURM_JOB_ID, SLURM_JOB_NODELIST, PBS_*, COBALT_*) stays.
/// </summary>
internal static class LauncherVariables
{
    // PMI and PMI2 (Hydra, srun, PALS), PMIx (srun, mpirun), Open MPI and its PRRTE, MPICH's local rank and size, Hydra's, ALPS's and PALS's.
    private static readonly string[] s_beginnings = ["PMI", "OMPI_", "PRTE_", "MPI_LOCAL", "HYDI_", "HYDRA_", "ALPS_APP_", "PALS_", "SLURM_STEP", "SLURM_PMI", "SLURM_MPI_"];

    // The rank's own place in its step.
    private static readonly string[] s_names = ["SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_GTIDS", "SLURM_TASK_PID", "SLURM_SRUN_COMM_HOST", "SLURM_SRUN_COMM_PORT", "SLURM_LAUNCH_NODE_IPADDR"];

    public static bool Has(string name) =>
        Array.Exists(s_beginnings, beginning => name.StartsWith(beginning, StringComparison.Ordinal)) || Array.IndexOf(s_names, name) >= 0;
}
