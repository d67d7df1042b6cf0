using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>Which of the launchers that are there a block's agent would take, by the same rules; the agent itself is in the manager, which nothing here links.</summary>
internal static class MpiChoice
{
    /// <summary>Those that the file's kind of launcher can be, the best first.</summary>
    public static IReadOnlyList<MpiLauncher> Candidates(LauncherKind kind, ProviderKind provider, MpiAnswer answer) => kind switch
    {
        LauncherKind.Mpirun => [.. answer.Launchers.Where(static launcher => launcher.Program is "mpirun" or "mpirun.openmpi" && launcher.IsOpenMpi)],
        LauncherKind.Mpiexec => [.. answer.Launchers.Where(static launcher => launcher.Program is "mpiexec" or "mpiexec.hydra" && launcher.IsHydra)],
        LauncherKind.Srun => [.. answer.Launchers.Where(static launcher => launcher.Program == "srun")],
        LauncherKind.Aprun => [.. answer.Launchers.Where(static launcher => launcher.Program == "aprun")],
        LauncherKind.Pals => [.. answer.Launchers.Where(static launcher => launcher.Program == "mpiexec" && launcher.IsPals)],
        _ =>
        [
            .. provider is ProviderKind.Slurm or ProviderKind.Allocation ? Candidates(LauncherKind.Srun, provider, answer) : [],
            .. provider is ProviderKind.Pbs or ProviderKind.Cobalt or ProviderKind.Allocation ? Candidates(LauncherKind.Aprun, provider, answer) : [],
            .. Candidates(LauncherKind.Pals, provider, answer),
            .. Candidates(LauncherKind.Mpirun, provider, answer),
            .. Candidates(LauncherKind.Mpiexec, provider, answer),
        ],
    };

    /// <summary>Whether ranks of the library find each other when this launcher starts them.</summary>
    /// <param name="arguments">The file's own, which may say how.</param>
    public static bool Belongs(MpiLauncher launcher, MpiAnswer answer, IReadOnlyList<string> arguments) => launcher.Program switch
    {
        "srun" => arguments.Any(static argument => argument == "--mpi" || argument.StartsWith("--mpi=", StringComparison.Ordinal)) || answer.SlurmKinds.Contains(answer.SlurmKind, StringComparer.Ordinal),
        "aprun" => !answer.IsOpenMpi,
        _ => launcher.IsOpenMpi == answer.IsOpenMpi,
    };
}
