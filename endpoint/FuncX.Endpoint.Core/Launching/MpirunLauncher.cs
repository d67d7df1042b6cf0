using System.Globalization;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>Open MPI's mpirun.</summary>
/// <param name="program">Where another MPI's mpirun has the plain name: <c>mpirun.openmpi</c>.</param>
/// <param name="recovers">It is one of Open MPI 4, which has <c>--enable-recovery</c>.</param>
public sealed class MpirunLauncher(string program = "mpirun", bool recovers = false) : ILauncher
{
    // Where a shell finds it anyway.
    private static readonly string[] s_usual = ["/usr/bin", "/bin", "/usr/local/bin"];

    public string Name => "mpirun";

    /// <summary>
    /// How it is to be called that was found here. By its whole path it starts its helpers on the other nodes from there, as with <c>--prefix</c>, and puts that directory in front of the ranks' PATH: one with
    /// everybody's programs would go before the user's own.
    /// </summary>
    public static string CalledAs(string name, string path) => s_usual.Contains(Path.GetDirectoryName(path)) ? name : Path.GetFullPath(path);

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
