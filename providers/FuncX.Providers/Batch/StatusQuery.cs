namespace FuncX.Providers.Batch;

/// <summary>A way to ask about jobs.</summary>
/// <param name="Command">The command that asks about all of these ids at once.</param>
/// <param name="Read">What its output says.</param>
public sealed record StatusQuery(Func<IReadOnlyList<string>, SchedulerCommand> Command, Func<CommandOutput, StatusAnswer> Read)
{
    /// <summary>The most ids that the command takes at once; more make several commands.</summary>
    public int MostIds { get; init; } = 1_000;

    /// <summary>
    /// A record of what was: it lags, and a job whose end never reached it runs in it for ever. That a job has not ended is not believed of it, since it is asked only about those that the
    /// sources before it do not know.
    /// </summary>
    public bool IsRecord { get; init; }

    /// <summary>
    /// It asks the server that the first source has asked, in another way. What that server has answered not to know it is not asked about again: else each of many jobs that it has forgotten would
    /// cost a command at every poll.
    /// </summary>
    public bool IsRepeated { get; init; }

    /// <summary>It cuts names, or has none: a job is not found by its name there.</summary>
    public bool LacksNames { get; init; }
}
