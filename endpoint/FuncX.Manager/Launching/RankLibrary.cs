using FuncX.Manager.Spawning;
using FuncX.Mpi;

namespace FuncX.Manager.Launching;

/// <summary>The MPI library that ranks will load. Found by a process of its own, so that the agent has none.</summary>
/// <param name="Version">The first line of what it says of itself.</param>
internal sealed record RankLibrary(bool IsOpenMpi, string Path, string Version)
{
    private const string OpenMpi = "openmpi";
    private const string Mpich = "mpich";

    /// <summary>Cray's, which has an own way to talk to Slurm.</summary>
    public bool IsCray => Version.Contains("CRAY", StringComparison.OrdinalIgnoreCase);

    /// <summary>Null: there is none that could be loaded here.</summary>
    public static RankLibrary? Find() => LauncherProbe.Ask(SpawnerProgram.This[0], [.. SpawnerProgram.This.Skip(1), "--mpi-library"]) is { } answer ? Parse(answer) : null;

    /// <summary>Reads what <see cref="Print"/> has printed.</summary>
    public static RankLibrary? Parse(string answer) => answer.Split('\n') is [OpenMpi or Mpich, var path, var version, ..] lines
        ? new RankLibrary(lines[0] == OpenMpi, path, version)
        : null;

    /// <summary><c>funcx-manager --mpi-library</c>: which kind it is, its path and what it calls itself, a line each.</summary>
    public static int Print()
    {
        try
        {
            var library = MpiRuntime.FindLibrary();
            Console.WriteLine($"{(library.Abi == MpiAbi.OpenMpi ? OpenMpi : Mpich)}\n{library.Path}\n{FirstLine(library.Version)}");
            return 0;
        }
        catch (MpiLibraryException unusable)
        {
            Console.Error.WriteLine($"funcx-manager: {unusable.Message}");
            return BlockAgentProgram.NoLauncher;
        }
    }

    // MPICH's begins with a heading and a tab, and has a line for each of its options.
    private static string FirstLine(string version) => version.Split('\n')[0].Replace('\t', ' ').Trim();
}
