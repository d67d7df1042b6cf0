namespace FuncX.Providers.Batch;

/// <summary>A way to ask about jobs.</summary>
/// <param name="Command">The command that asks about all of these ids at once.</param>
/// <param name="Read">What its output says.</param>
public sealed record StatusQuery(Func<IReadOnlyList<string>, SchedulerCommand> Command, Func<CommandOutput, StatusAnswer> Read)
{
    /// <summary>The most ids that the command takes at once; more make several commands.</summary>
    public int MostIds { get; init; } = 1_000;
}
