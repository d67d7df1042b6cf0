namespace FuncX.Endpoint.Doctor;

/// <summary>A program that starts ranks.</summary>
/// <param name="Version">What it says for <c>--version</c>.</param>
internal sealed record MpiLauncher(string Program, string Path, string Version)
{
    public bool IsOpenMpi => Says("Open MPI");

    public bool IsHydra => Says("HYDRA") || Says("Intel(R) MPI");

    // It says "mpiexec version 1.8.0 revision ...", without its name.
    public bool IsPals => Says("PALS") || Version.StartsWith("mpiexec version ", StringComparison.Ordinal);

    private bool Says(string word) => Version.Contains(word, StringComparison.OrdinalIgnoreCase);
}
