using System.Globalization;
using FuncX.Configuration;

namespace FuncX.Bench.Scale;

/// <summary>An endpoint's one world: so many nodes with so many workers each.</summary>
/// <param name="Launcher">As <c>launcher.type</c> has it.</param>
/// <param name="Nodes">Ranks of the world.</param>
/// <param name="WorkersPerNode">Of each of them.</param>
internal sealed record ScaleShape(string Launcher, int Nodes, int WorkersPerNode)
{
    /// <summary>Most workers of a simulated manager.</summary>
    public const int WorkersPerManager = WorkersConfiguration.MostSimulated;

    /// <summary>Ranks on this machine, unless there are fewer managers.</summary>
    public const int LocalRanks = 16;

    /// <summary>Python workers instead of simulated ones.</summary>
    public bool Real { get; init; }

    /// <summary>On the nodes of the job that the bench runs in, instead of as many processes of this machine.</summary>
    public bool InJob { get; init; }

    /// <summary>How long that job lasts, where the scheduler does not tell it inside (PBS).</summary>
    public string? Walltime { get; init; }

    public int ManagersPerNode => Real ? 1 : Math.Max(1, WorkersPerNode / WorkersPerManager);

    public int Managers => Nodes * ManagersPerNode;

    public int Workers => Nodes * WorkersPerNode;

    /// <summary>So many simulated workers on this machine.</summary>
    public static ScaleShape Local(string launcher, int workers)
    {
        var ranks = Math.Clamp(workers / WorkersPerManager, 1, LocalRanks);
        return new ScaleShape(launcher, ranks, workers / ranks);
    }

    /// <summary>The endpoint's YAML.</summary>
    public EndpointOptions Options()
    {
        var perManager = WorkersPerNode / ManagersPerNode;
        if (perManager * ManagersPerNode != WorkersPerNode)
            throw new ArgumentException($"{WorkersPerNode} workers of a node are not the same number for each of {ManagersPerNode} managers of at most {WorkersPerManager}; take a multiple of {WorkersPerManager}");
        return new EndpointOptions
        {
            Name = "scale",
            Nodes = Nodes,
            WorkersPerNode = perManager,
            Transport = "mpi",
            Provider = InJob ? $"{{type: allocation{(Walltime is null ? "" : $", walltime: {Walltime}")}}}" : null,
            IsOneBlock = InJob,
            AnyInterface = InJob,
            MoreWorkers = Real ? "" : string.Create(CultureInfo.InvariantCulture, $"simulate: true, managers_per_node: {ManagersPerNode}"),
            MoreYaml = $"launcher: {{type: {Launcher}}}",
        };
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Workers:#,0} {(Real ? "Python" : "simulated")} workers as {Managers:#,0} managers on {Nodes} {(InJob ? "nodes" : "ranks")} under {Launcher}");
}
