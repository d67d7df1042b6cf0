namespace FuncX.Wire;

/// <summary>How one attempt of a task ended; every task has exactly one that its user sees.</summary>
public enum TaskOutcome : byte
{
    /// <summary>Not ended.</summary>
    None = 0,

    /// <summary>The function returned; the value is the body.</summary>
    Value = 1,

    /// <summary>The function raised; the body is a <see cref="FailureBody"/>.</summary>
    Exception = 2,

    /// <summary>It ran longer than its walltime and was ended.</summary>
    TimedOut = 3,

    /// <summary>The user cancelled it.</summary>
    Cancelled = 4,

    /// <summary>Its attempts are used up: every one lost its worker, manager or endpoint. Only the service says this.</summary>
    Lost = 5,

    /// <summary>This attempt lost its worker (crash, kill, node). Not an end in itself: the service tries again or says <see cref="Lost"/>.</summary>
    AttemptLost = 6,

    /// <summary>The result is larger than a limit, which the body names.</summary>
    TooLarge = 7,

    /// <summary>It cannot run here (function unreadable, requirement not met); the body says why.</summary>
    Rejected = 8,

    /// <summary>Its deadline passed before it started.</summary>
    Expired = 9,
}
