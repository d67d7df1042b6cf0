using System.Globalization;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>Hydra, the mpiexec of MPICH, MVAPICH and Intel MPI. It hands the whole environment on. A rank that dies takes its world with it.</summary>
/// <param name="program">Where another MPI's mpiexec has the plain name: <c>mpiexec.hydra</c>.</param>
public sealed class HydraLauncher(string program = "mpiexec") : ILauncher
{
    public string Name => "mpiexec";

    public bool SparesSurvivors => false;

    public IEnumerable<string> HostLines(WorldLaunch world) => world.Hosts().Select(static host => $"{host.Name}:{host.Ranks}");

    public IReadOnlyList<string> CommandLine(WorldLaunch world) =>
        [program, "-f", world.HostFile, "-n", world.Nodes.Count.ToString(CultureInfo.InvariantCulture), "-bind-to", "none", .. world.Arguments, .. world.Command];
}
