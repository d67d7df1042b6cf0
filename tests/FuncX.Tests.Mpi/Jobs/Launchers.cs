namespace FuncX.Tests.Mpi.Jobs;

/// <summary>How each launcher is called. Both MPIs are installed side by side, so each goes by its own name.</summary>
internal static class Launchers
{
    // More ranks than cores is what a test machine has; without the option mpirun refuses.
    public static string[] Command(Launcher launcher, int ranks) => launcher == Launcher.OpenMpi
        ? ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", ranks.ToString()]
        : ["mpiexec.hydra", "-n", ranks.ToString()];

    public static void SkipUnlessInstalled(Launcher launcher)
    {
        var program = Command(launcher, 1)[0];
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        Assert.SkipUnless(found, $"{program} is not installed; tests/run installs it (Debian package {(launcher == Launcher.OpenMpi ? "openmpi-bin" : "mpich")})");
    }
}
