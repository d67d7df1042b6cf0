namespace FuncX.Endpoint.Core.Launching;

/// <summary>None: the job's only node is the one that this process is on, and what is started there is no rank.</summary>
public sealed class OwnNodeLauncher : ILauncher
{
    public string Name => "no launcher";

    public bool SparesSurvivors => false;

    public IEnumerable<string> HostLines(WorldLaunch world) => [];

    public IReadOnlyList<string> CommandLine(WorldLaunch world) => world.Command;
}
