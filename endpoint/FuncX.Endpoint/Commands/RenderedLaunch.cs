using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Core.Launching;
using FuncX.Providers;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Commands;

/// <summary>How a block's managers come to its nodes and what they and their workers find in their environment, as far as a file says it before there is a job.</summary>
/// <param name="umask">Of the shell that starts the endpoint, octal.</param>
/// <param name="mpiLibrary"><c>FUNCX_MPI_LIBRARY</c> there; null: it is not set.</param>
internal sealed class RenderedLaunch(EndpointConfiguration configuration, BlockRequest block, string umask, string? mpiLibrary)
{
    // Of a job that the endpoint is started in nobody knows the nodes here.
    private const int NodesOfSomeJob = 2;

    private readonly LauncherConfiguration _launcher = configuration.Launcher ?? new LauncherConfiguration();

    private bool IsInJob => configuration.Provider.Type == ProviderKind.Allocation;

    private int Nodes => IsInJob ? NodesOfSomeJob : block.Nodes;

    private string Job => IsInJob ? $"the job's nodes ({Nodes}, say)" : block.Nodes == 1 ? "its node" : $"its {Nodes} nodes";

    private string First => $"by the first of these that is there{(IsInJob ? " (srun in a job of Slurm, aprun in one of PBS or Cobalt)" : "")}";

    /// <summary>The lines of launchers that the agent calls; none where there is no agent.</summary>
    public IEnumerable<string> LauncherLines() => configuration.Transport == TransportKind.Mpi ? Worlds() : IsInJob ? Managers() : [];

    /// <summary>The variables, <c>NAME=value</c>.</summary>
    public IEnumerable<string> VariableLines()
    {
        yield return "A manager has the variables of its job, and:";
        yield return $"  FUNCX_UMASK={umask}";
        if (mpiLibrary is not null)
            yield return $"  FUNCX_MPI_LIBRARY={mpiLibrary}";
        var workers = configuration.Workers;
        if (workers.Simulate)
            yield break;
        yield return $"A worker has those of its manager but FUNCX_* and the launcher's, as workers.init leaves them, and, in the first of a node's {workers.PerNode} places:";
        var stage = configuration.StageIn.Count > 0 ? "DIRECTORY" : "";
        foreach (var (name, value) in WorkerVariables.OfNode("NODE", workers.CoresPerWorker, stage).Concat(WorkerVariables.OfPlace(0, workers.PerNode, workers.Accelerators)))
            yield return $"  {name}={value}";
    }

    private IEnumerable<string> Worlds()
    {
        var worlds = (Nodes + _launcher.RanksPerWorld - 1) / _launcher.RanksPerWorld;
        var ranks = (Nodes + worlds - 1) / worlds;
        yield return $"The agent (--block) launches the managers of {Job} as MPI ranks, a world of {ranks}{(worlds > 1 ? $" at most, {worlds} in all" : "")}, {(_launcher.Type == LauncherKind.Detect ? $"{First}, mpiexec before mpirun where the MPI library is none of Open MPI's" : "by")}:";
        var names = _launcher.Type == LauncherKind.Detect ? LauncherChoice.Order(BlockAllocation.KindsOf(configuration.Provider.Type), isOpenMpi: true) : [SnakeCase.Of(_launcher.Type)];
        string[] leader = _launcher.LeaderOnly && ranks > 1 ? ["--leader-only"] : [];
        foreach (var line in Lines(names, ranks, _launcher.Arguments, slurmMpi: "KIND", ["--world", "--ranks", $"{ranks}", .. leader]))
            yield return line;
        yield return "... has the world's files and times.";
        if (names.Contains("srun"))
            yield return "KIND is what the MPI library speaks: pmix, pmi2 or cray_shasta.";
        if (names.Contains("mpirun") && ranks > 1)
            yield return "Open MPI 4 is told --enable-recovery besides.";
    }

    private IEnumerable<string> Managers()
    {
        yield return $"The agent (--block --tcp) starts a manager on each of {Job}, {First}:";
        foreach (var line in Lines(LauncherChoice.OrderForManagers(BlockAllocation.KindsOf(configuration.Provider.Type), Nodes), ranks: 1, [], slurmMpi: "none", "--node", "NODE"))
            yield return line;
        yield return "... has the manager's files and times. A job of one node without srun and aprun needs no launcher.";
    }

    private IEnumerable<string> Lines(IEnumerable<string> names, int ranks, IReadOnlyList<string> arguments, string slurmMpi, params IReadOnlyList<string> command)
    {
        var agent = Path.Combine(block.Directory, block.OverMpi && configuration.Provider.Type != ProviderKind.Local && !IsInJob ? "agent" : "node-0");
        var launch = new WorldLaunch
        {
            // ALPS has numbers for names.
            Nodes = [.. Enumerable.Range(1, ranks).Select(static node => $"nid{node}")],
            HostFile = Path.Combine(agent, "world-1.hosts"),
            Command = [block.Manager, .. command, "..."],
            Arguments = arguments,
            Variables = [.. WorldLaunch.HandedOn.Where(name => mpiLibrary is not null || name != "FUNCX_MPI_LIBRARY")],
            CoresPerNode = configuration.Workers.PerNode * configuration.Workers.CoresPerWorker,
            SlurmMpi = slurmMpi,
            IsRoot = Environment.IsPrivilegedProcess,
        };
        var choice = new LauncherChoice(static _ => null);
        foreach (var name in names)
        {
            if (Launchers.Of(name, choice)?.CommandLine(launch) is { } words)
                yield return $"  {new SchedulerCommand(words[0], [.. words.Skip(1)])}";
        }
    }
}
