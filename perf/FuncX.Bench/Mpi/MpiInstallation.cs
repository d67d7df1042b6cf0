namespace FuncX.Bench.Mpi;

/// <summary>An MPI by the names that Debian gives its programs when several are installed.</summary>
/// <param name="LauncherType">What an endpoint's launcher.type calls its launcher.</param>
internal sealed record MpiInstallation(string Name, string LauncherType, string Compiler, string[] Launcher)
{
    public static IReadOnlyList<MpiInstallation> Known { get; } =
    [
        new("Open MPI", "mpirun", "mpicc.openmpi", ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", "2"]),
        new("MPICH", "mpiexec", "mpicc.mpich", ["mpiexec.hydra", "-n", "2"]),
    ];

    /// <summary>Its name in a figure's.</summary>
    public string Figure => Name.Replace(" ", "", StringComparison.Ordinal).ToLowerInvariant();

    public bool HasLauncher => IsOnPath(Launcher[0]);

    public bool IsInstalled => HasLauncher && IsOnPath(Compiler);

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
