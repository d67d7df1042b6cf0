using System.Globalization;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>Slurm's srun: a job step, so no remote shell is needed. Ranks that are left go on when one dies or its node does.</summary>
public sealed class SrunLauncher : ILauncher
{
    public string Name => "srun";

    public bool SparesSurvivors => true;

    public IEnumerable<string> HostLines(WorldLaunch world) => world.Nodes;

    // Overlapping: the step has all of a node, and what a function starts with srun still finds room beside it.
    public IReadOnlyList<string> CommandLine(WorldLaunch world) =>
    [
        "srun", $"--nodes={Distinct(world)}", $"--ntasks={Number(world.Nodes.Count)}", $"--nodelist={world.HostFile}", "--overlap", "--cpu-bind=none",
        $"--cpus-per-task={Number(world.CoresPerNode)}", "--no-kill", "--kill-on-bad-exit=0", "--input=none", "--unbuffered",
        .. world.SlurmMpi is { } kind && !world.Arguments.Any(SlurmMpi.IsArgument) ? (string[])[$"--mpi={kind}"] : [],
        .. world.Arguments, .. world.Command,
    ];

    private static string Distinct(WorldLaunch world) => Number(world.Nodes.Distinct(StringComparer.Ordinal).Count());

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
