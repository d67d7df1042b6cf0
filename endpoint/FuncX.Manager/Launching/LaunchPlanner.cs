using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Link;

namespace FuncX.Manager.Launching;

/// <summary>Finds out how a block's worlds, or its managers, are launched on this machine.</summary>
/// <param name="nodes">How many the block has.</param>
/// <param name="version">What a program prints when it is asked for its version; null: it is not there.</param>
/// <param name="tell">Told what people should know.</param>
internal sealed class LaunchPlanner(Allocation? allocation, int nodes, Func<string, string?> version, Action<string> tell)
{
    // Each has a launcher, all of them on this node.
    private const int MostManagers = 256;

    private readonly LauncherChoice _choice = new(version);

    /// <summary>Null: it cannot be done; why was told.</summary>
    public LaunchPlan? Worlds(BlockSettings settings)
    {
        var library = LibraryProbe.Find();
        var kinds = allocation?.Kind == AllocationKind.Slurm || settings.Launcher == "srun" ? LauncherProbe.Ask("srun", "--mpi=list") : null;
        var problem = settings.Arguments.Any(SlurmMpi.IsArgument) ? "" : SlurmMpi.Problem(library, kinds, static kind => LauncherProbe.Try("srun", "--overlap", "--nodes=1", "--ntasks=1", "--input=none", $"--mpi={kind}", "/bin/true"));
        if (problem.Length > 0)
            tell(problem);
        var isDetected = settings.Launcher is "" or "detect";
        var name = isDetected ? _choice.Detect(Allocations, library?.IsOpenMpi ?? true, problem.Length == 0) : settings.Launcher;
        if (name is null || Launchers.Of(name, _choice) is not { } launcher)
        {
            tell(isDetected
                ? $"no launcher of MPI programs was found: {_choice.Tried}. Load the machine's MPI module in the block's script, or name one with launcher.type"
                : $"launcher '{settings.Launcher}' is none of mpirun, mpiexec, srun, aprun, pals");
            return null;
        }

        Console.Error.WriteLine($"funcx-manager --block: {nodes} ranks in worlds of at most {settings.RanksPerWorld} by {launcher.Name}; the MPI library is {(library is null ? "not known" : $"{library.Path} ({library.Version})")}");
        return new LaunchPlan { Launcher = launcher, Arguments = settings.Arguments, SlurmMpi = SlurmMpi.Choose(library, kinds), CoresPerNode = CoresPerNode, LeaderOnly = settings.LeaderOnly };
    }

    /// <summary>For managers that dial for themselves. Null: it cannot be done; why was told.</summary>
    public LaunchPlan? Managers()
    {
        if (nodes > MostManagers)
        {
            tell($"this job has {nodes} nodes; with transport: tcp and provider allocation at most {MostManagers} are possible, since each node's launcher runs on this one. Set transport: mpi");
            return null;
        }

        var name = _choice.ForManagers(Allocations, nodes);
        if ((name is LauncherChoice.OwnNode ? new OwnNodeLauncher() : name is null ? null : Launchers.Of(name, _choice)) is not { } launcher)
        {
            tell($"nothing was found that starts a manager on the other nodes of this job: {_choice.Tried}. "
                + "Load the machine's MPI module before the endpoint is started, ask for a job of one node, or name the scheduler as the provider");
            return null;
        }

        Console.Error.WriteLine($"funcx-manager --block: a manager on each of {nodes} nodes by {launcher.Name}");
        return new LaunchPlan { Launcher = launcher, SlurmMpi = "none", CoresPerNode = CoresPerNode };
    }

    private IReadOnlyCollection<AllocationKind> Allocations => allocation is { } job ? [job.Kind] : [];

    private int CoresPerNode => allocation?.CoresPerNode ?? Environment.ProcessorCount;
}
