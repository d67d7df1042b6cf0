using System.Globalization;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>The mpiexec of HPE's PALS, on Cray EX under PBS.</summary>
public sealed class PalsLauncher : ILauncher
{
    public string Name => "pals";

    public bool SparesSurvivors => true;

    public IEnumerable<string> HostLines(WorldLaunch world) => world.Nodes;

    // Without --no-transfer PALS copies the program to the nodes, and the copy misses the workers that lie beside it.
    public IReadOnlyList<string> CommandLine(WorldLaunch world) =>
    [
        "mpiexec", "--hostfile", world.HostFile, "-n", world.Nodes.Count.ToString(CultureInfo.InvariantCulture), "--ppn", "1", "--cpu-bind", "none", "--no-transfer", "--no-abort-on-failure",
        .. world.Arguments, .. world.Command,
    ];
}
