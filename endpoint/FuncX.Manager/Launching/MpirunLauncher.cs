using System.Globalization;

namespace FuncX.Manager.Launching;

/// <summary>Open MPI's mpirun.</summary>
/// <param name="program">Where another MPI's mpirun has the plain name: <c>mpirun.openmpi</c>.</param>
internal sealed class MpirunLauncher(string program = "mpirun") : ILauncher
{
    public string Name => "mpirun";

    public IEnumerable<string> HostLines(WorldLaunch world) => world.Hosts().Select(static host => $"{host.Name} slots={host.Ranks}");

    public IReadOnlyList<string> CommandLine(WorldLaunch world) =>
    [
        // Not --enable-recovery, with which ranks that are left go on when one dies: after the death of a leader mpirun (4.1) does not end any more, whatever the others do, and the
        // world never begins anew. A site may name it in launcher.arguments.
        program, "--hostfile", world.HostFile, "-np", world.Nodes.Count.ToString(CultureInfo.InvariantCulture), "--bind-to", "none",
        .. world.IsRoot ? (string[])["--allow-run-as-root"] : [],
        .. world.Variables.SelectMany(static name => (string[])["-x", name]),
        .. world.Arguments, .. world.Command,
    ];
}
