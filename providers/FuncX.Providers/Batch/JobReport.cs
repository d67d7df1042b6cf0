namespace FuncX.Providers.Batch;

/// <summary>What a scheduler says of one job.</summary>
/// <param name="Reason">In its own words, one line; empty when there is nothing to say.</param>
public sealed record JobReport(JobCondition Condition, string Reason = "")
{
    /// <summary>The script's exit status; null when it is not known, or a signal ended it.</summary>
    public int? ExitCode { get; init; }

    public int? Signal { get; init; }

    /// <summary>The job's name; null when this answer does not have it. Another name than expected: the number was given to another job.</summary>
    public string? Name { get; init; }

    /// <summary>Of one that runs: how long it still may, when the scheduler says so.</summary>
    public TimeSpan? Left { get; init; }

    /// <summary>An end of which more may be known elsewhere: <see cref="StatusQuery"/>s that follow are asked for it.</summary>
    public bool LacksDetail { get; init; }

    /// <summary>The condition, reason and exit status as a person reads them.</summary>
    public string Describe()
    {
        var what = Condition switch
        {
            JobCondition.Held => "held",
            JobCondition.NeverStarts => "will not start as it was asked for",
            JobCondition.Starting => "its nodes are made ready",
            JobCondition.Suspended => "suspended",
            JobCondition.Ending => "ending",
            JobCondition.OutOfMemory => "out of memory",
            JobCondition.NotStarted => "its script never started",
            JobCondition.NodeFailed => "a node failed",
            JobCondition.Preempted => "preempted",
            _ => "",
        };
        var how = (Signal, ExitCode) switch
        {
            ({ } signal and > 0, _) => $"ended by signal {signal}",
            (_, { } code) when Condition is not JobCondition.Completed => $"exit status {code}",
            _ => "",
        };
        return string.Join("; ", ((string[])[what, how, Reason]).Where(static text => text.Length > 0));
    }
}
