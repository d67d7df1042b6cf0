namespace FuncX.Bench.Mpi;

/// <summary>An MPI by the names that Debian gives its programs when several are installed.</summary>
internal sealed record MpiInstallation(string Name, string Compiler, string[] Launcher)
{
    public static IReadOnlyList<MpiInstallation> Known { get; } =
    [
        new("Open MPI", "mpicc.openmpi", ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", "2"]),
        new("MPICH", "mpicc.mpich", ["mpiexec.hydra", "-n", "2"]),
    ];

    public bool IsInstalled => IsOnPath(Compiler) && IsOnPath(Launcher[0]);

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
