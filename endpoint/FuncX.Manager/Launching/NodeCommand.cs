using System.Globalization;
using FuncX.Manager.Spawning;

namespace FuncX.Manager.Launching;

/// <summary>What a launcher starts on the nodes: ranks of a world, or with <c>transport: tcp</c> one manager that dials the endpoint itself.</summary>
internal static class NodeCommand
{
    /// <param name="agent">What the agent was told.</param>
    /// <param name="launch">The number of this launch.</param>
    /// <param name="plan">Says when the job ends, and whether leaders have workers; that of a world of one has.</param>
    public static IReadOnlyList<string> Of(ManagerOptions agent, World world, string directory, long launch, LaunchPlan plan) =>
    [
        .. SpawnerProgram.This,
        .. agent.Tcp ? (string[])["--node", world.Nodes[0]] : ["--world", "--ranks", Number(world.Nodes.Count), "--launch", Number(launch)],
        "--rendezvous", agent.Rendezvous, "--directory", directory,
        .. plan.LeaderOnly && world.Nodes.Count > 1 ? (string[])["--leader-only"] : [],
        .. plan.End is not { } end ? (string[])[] : ["--drain-at", Number(end.DrainAt.ToUnixTimeSeconds()), "--drain-for", Number(end.DrainFor.TotalSeconds)],
        "--patience", Number(agent.Patience.TotalSeconds), "--start-limit", Number(agent.StartLimit.TotalSeconds),
    ];

    private static string Number<T>(T number)
        where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);
}
