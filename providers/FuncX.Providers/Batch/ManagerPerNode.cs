namespace FuncX.Providers.Batch;

/// <summary>
/// The part of a batch script that starts <c>funcx-manager</c> on every node, each of which dials the endpoint (<c>transport: tcp</c>). With <see cref="AgentPerBlock"/> in its place nothing
/// else of a script changes.
/// </summary>
/// <param name="NodeName">Shell text, read on each node: what it is called.</param>
/// <param name="NodeNumber">Shell text, read on each node: its number, by which its directory and log are named.</param>
/// <param name="Launch">Shell text, read on the first node: starts the words that follow once on each node, and waits for them. Empty: they run where the script does.</param>
/// <param name="Walltime">How long the job was asked for, from now on: each manager takes no more tasks before that, where the job's environment does not say when it ends.</param>
/// <param name="Before">Lines before that.</param>
public sealed record ManagerPerNode(string NodeName, string NodeNumber, string Launch, TimeSpan Walltime, params IReadOnlyList<string> Before)
{
    /// <summary>The lines, with no line break at the end. The paths are quoted once and reach the nodes as arguments; no path becomes shell text.</summary>
    public string Lines(BatchJob job) => string.Join('\n',
    [
        .. JobScript.Begin(job),
        "# The scheduler's SIGTERM is for the managers: this shell stays until they are over and says how that was.",
        "trap : TERM",
        .. Before,
        "# What functions write has the user's umask, our own files are private.",
        "node='",
        $"n={NodeNumber}",
        "export FUNCX_UMASK=\"${FUNCX_UMASK:-$(umask)}\"",
        "umask 077",
        $"exec \"$1\" --rendezvous \"$2\" --node \"{NodeName}\" --directory \"$3/node-$n\" --walltime {BatchScript.Seconds(Walltime)} </dev/null >>\"$3/node-$n.log\" 2>&1",
        "'",
        $"{(Launch.Length > 0 ? Launch + " " : "")}/bin/sh -c \"$node\" node \"$manager\" \"$rendezvous\" \"$block\"",
        .. JobScript.End,
    ]);
}
