namespace FuncX.Endpoint.Doctor;

/// <summary>A program that starts ranks.</summary>
/// <param name="Version">What it says for <c>--version</c>.</param>
internal sealed record MpiLauncher(string Program, string Path, string Version)
{
    public bool IsOpenMpi => Says("Open MPI");

    public bool IsHydra => Says("HYDRA") || Says("Intel(R) MPI");

    public bool IsPals => Says("PALS");

    private bool Says(string word) => Version.Contains(word, StringComparison.OrdinalIgnoreCase);
}
