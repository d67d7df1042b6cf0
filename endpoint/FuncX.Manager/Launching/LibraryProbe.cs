using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Spawning;
using FuncX.Mpi;

namespace FuncX.Manager.Launching;

/// <summary>Finds the MPI library that ranks will load: by a process of its own, so that the agent has none.</summary>
internal static class LibraryProbe
{
    /// <summary>Null: there is none that could be loaded here.</summary>
    public static RankLibrary? Find() => LauncherProbe.Ask(SpawnerProgram.This[0], [.. SpawnerProgram.This.Skip(1), "--mpi-library"]) is { } answer ? RankLibrary.Parse(answer) : null;

    /// <summary><c>funcx-manager --mpi-library</c>, whose lines <see cref="RankLibrary"/> has.</summary>
    public static int Print()
    {
        try
        {
            var library = MpiRuntime.FindLibrary();
            Console.WriteLine(new RankLibrary(library.Abi == MpiAbi.OpenMpi, library.Path, FirstLine(library.Version)).Text);
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
