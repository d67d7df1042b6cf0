namespace FuncX.Endpoint.Core.Launching;

/// <summary>How one of the programs that start MPI ranks is told to start one per node with all that node's processors.</summary>
public interface ILauncher
{
    /// <summary>As in <c>launcher.type</c>.</summary>
    string Name { get; }

    /// <summary>Ranks go on when another dies; the launcher does not tell of it.</summary>
    bool SparesSurvivors { get; }

    /// <summary>The lines of its host file; empty: it takes none.</summary>
    IEnumerable<string> HostLines(WorldLaunch world);

    /// <summary>The program and all arguments, never a shell string.</summary>
    IReadOnlyList<string> CommandLine(WorldLaunch world);
}
