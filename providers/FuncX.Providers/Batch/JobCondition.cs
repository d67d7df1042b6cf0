namespace FuncX.Providers.Batch;

/// <summary>What a scheduler says of a job, in words that all of them share.</summary>
public enum JobCondition
{
    /// <summary>Not understood, or moved where it cannot be seen. Never taken for an end.</summary>
    Unknown = 0,

    /// <summary>Waiting, also to be started again after a requeue.</summary>
    Pending,

    /// <summary>Waiting until somebody releases it.</summary>
    Held,

    /// <summary>Waiting for what will not come: more than there is, or above a limit.</summary>
    NeverStarts,

    /// <summary>Has nodes; its script does not run yet.</summary>
    Starting,

    Running,

    /// <summary>Has nodes, and its processes stand still.</summary>
    Suspended,

    /// <summary>Its script is over and its nodes are not free yet. How it ended is not known.</summary>
    Ending,

    /// <summary>Ended by itself with exit status 0.</summary>
    Completed,

    /// <summary>Ended by itself with another exit status or a signal.</summary>
    Failed,

    OutOfMemory,

    /// <summary>It was over before its script ran: a directory that is missing, a deadline.</summary>
    NotStarted,

    /// <summary>Somebody ended it.</summary>
    Cancelled,

    /// <summary>Its walltime was over.</summary>
    TimedOut,

    /// <summary>A node of it is gone, and it with it.</summary>
    NodeFailed,

    /// <summary>It had to make room for another.</summary>
    Preempted,
}

public static class JobConditions
{
    /// <summary>The state of the block.</summary>
    public static BlockState ToBlockState(this JobCondition condition) => condition switch
    {
        JobCondition.Pending or JobCondition.Held or JobCondition.NeverStarts or JobCondition.Starting => BlockState.Pending,
        JobCondition.Running or JobCondition.Suspended => BlockState.Running,
        JobCondition.Completed => BlockState.Completed,
        JobCondition.Failed or JobCondition.OutOfMemory or JobCondition.NotStarted or JobCondition.NodeFailed or JobCondition.Preempted => BlockState.Failed,
        JobCondition.Cancelled => BlockState.Cancelled,
        JobCondition.TimedOut => BlockState.TimedOut,
        // Ending says nothing yet of how: the block stays what it was.
        _ => BlockState.Unknown,
    };

    public static bool IsEnd(this JobCondition condition) => condition.ToBlockState().IsEnd();
}
