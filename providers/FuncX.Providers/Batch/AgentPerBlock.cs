namespace FuncX.Providers.Batch;

/// <summary>
/// The part of a batch script that starts the block's agent (<c>transport: mpi</c>), once, where the script runs: the first node, or with ALPS the node that aprun is called on. It
/// launches the managers of all nodes itself.
/// </summary>
/// <param name="Walltime">How long the job was asked for, from now on: the agent ends its worlds before that, where nothing else tells it.</param>
/// <param name="Before">Lines before that.</param>
public sealed record AgentPerBlock(TimeSpan Walltime, params IReadOnlyList<string> Before)
{
    /// <summary>The agent's log in the block's directory.</summary>
    public const string Log = "agent.log";

    /// <summary>The lines, with no line break at the end.</summary>
    public string Lines(BatchJob job) => string.Join('\n',
    [
        .. JobScript.Begin(job),
        "# The scheduler's SIGTERM is for the agent, which ends what it launched: this shell stays until it is over and says how that was.",
        "trap : TERM",
        .. Before,
        "# What functions write has the user's umask, our own files are private.",
        "export FUNCX_UMASK=\"${FUNCX_UMASK:-$(umask)}\"",
        "umask 077",
        $"\"$manager\" --block --rendezvous \"$rendezvous\" --directory \"$block/agent\" --walltime {BatchScript.Seconds(Walltime)} </dev/null >>\"$block/{Log}\" 2>&1",
        .. JobScript.End,
    ]);
}
