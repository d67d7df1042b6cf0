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
        // Ranks that are left go on when one dies.
        program, "--enable-recovery", "--hostfile", world.HostFile, "-np", world.Nodes.Count.ToString(CultureInfo.InvariantCulture), "--bind-to", "none",
        .. world.IsRoot ? (string[])["--allow-run-as-root"] : [],
        .. world.Variables.SelectMany(static name => (string[])["-x", name]),
        .. world.Arguments, .. world.Command,
    ];
}
