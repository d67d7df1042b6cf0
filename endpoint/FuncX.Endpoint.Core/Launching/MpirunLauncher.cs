using System.Globalization;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>Open MPI's mpirun.</summary>
/// <param name="program">Where another MPI's mpirun has the plain name: <c>mpirun.openmpi</c>.</param>
/// <param name="recovers">It is one of Open MPI 4, which has <c>--enable-recovery</c>.</param>
public sealed class MpirunLauncher(string program = "mpirun", bool recovers = false) : ILauncher
{
    public string Name => "mpirun";

    public bool SparesSurvivors => recovers;

    public IEnumerable<string> HostLines(WorldLaunch world) => world.Hosts().Select(static host => $"{host.Name} slots={host.Ranks}");

    public IReadOnlyList<string> CommandLine(WorldLaunch world) =>
    [
        program, "--hostfile", world.HostFile, "-np", world.Nodes.Count.ToString(CultureInfo.InvariantCulture), "--bind-to", "none",
        // Ranks that are left go on when one dies. Once one was killed mpirun (4.1) does not end any more, whatever the others do: the agent looks after that (WorldWatch).
        .. recovers && world.Nodes.Count > 1 ? (string[])["--enable-recovery"] : [],
        .. world.IsRoot ? (string[])["--allow-run-as-root"] : [],
        .. world.Variables.SelectMany(static name => (string[])["-x", name]),
        .. world.Arguments, .. world.Command,
    ];
}
