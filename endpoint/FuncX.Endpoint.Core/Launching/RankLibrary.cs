namespace FuncX.Endpoint.Core.Launching;

/// <summary>The MPI library that ranks will load, as <c>funcx-manager --mpi-library</c> tells it: which kind it is, its path and what it calls itself, a line each.</summary>
/// <param name="IsOpenMpi">Whether it is Open MPI's; else it has MPICH's ABI.</param>
/// <param name="Version">The first line of what it says of itself.</param>
public sealed record RankLibrary(bool IsOpenMpi, string Path, string Version)
{
    private const string OpenMpi = "openmpi";
    private const string Mpich = "mpich";

    /// <summary>Cray's, which has an own way to talk to Slurm.</summary>
    public bool IsCray => Version.Contains("CRAY", StringComparison.OrdinalIgnoreCase);

    /// <summary>The lines.</summary>
    public string Text => $"{(IsOpenMpi ? OpenMpi : Mpich)}\n{Path}\n{Version}";

    /// <summary>Reads the lines; null: they name none that could be loaded.</summary>
    public static RankLibrary? Parse(string text) => text.Split('\n', StringSplitOptions.TrimEntries) is [OpenMpi or Mpich, var path, ..] lines
        ? new RankLibrary(lines[0] == OpenMpi, path, lines.Length > 2 ? lines[2] : "")
        : null;
}
