using FuncX.Providers.Batch;

namespace FuncX.Providers.Slurm;

/// <summary>Slurm's job states (squeue(1), JOB STATE CODES) and the reasons of pending ones (JOB REASON CODES).</summary>
internal static class SlurmStates
{
    // Reasons that no waiting cures. Assoc* and QOSGrp* limits are not among them: with the same word a job waits for others to end.
    private static readonly string[] s_never =
    [
        "PartitionConfig", "PartitionTimeLimit", "PartitionNodeLimit", "QOSMaxWallDurationPerJobLimit", "DependencyNeverSatisfied", "BadConstraints", "InvalidAccount", "InvalidQOS",
        "AssocMaxWallDurationPerJobLimit", "QOSMaxNodePerJobLimit", "QOSMaxCpuPerJobLimit", "AssocMaxNodePerJobLimit", "AssocMaxCpuPerJobLimit", "QOSTimeLimit", "AssociationTimeLimit", "AccountNotAllowed",
        "QOSNotAllowed",
    ];

    private static readonly string[] s_held = ["JobHeldUser", "JobHeldAdmin", "job requeued in held state", "JobHoldMaxRequeue", "launch failed requeued held"];

    /// <summary>Null: no state of Slurm's.</summary>
    public static JobCondition? Of(string state) => state switch
    {
        "PENDING" or "REQUEUED" or "REQUEUE_FED" => JobCondition.Pending,
        "SPECIAL_EXIT" or "REQUEUE_HOLD" or "RESV_DEL_HOLD" => JobCondition.Held,
        "CONFIGURING" => JobCondition.Starting,
        "RUNNING" or "RESIZING" or "SIGNALING" => JobCondition.Running,
        "SUSPENDED" or "STOPPED" => JobCondition.Suspended,
        "COMPLETING" or "STAGE_OUT" => JobCondition.Ending,
        "COMPLETED" => JobCondition.Completed,
        "FAILED" => JobCondition.Failed,
        "OUT_OF_MEMORY" => JobCondition.OutOfMemory,
        "DEADLINE" => JobCondition.NotStarted,
        "CANCELLED" => JobCondition.Cancelled,
        // Another cluster of a federation has started the job: where it runs cannot be seen here, and it is no end.
        "REVOKED" => JobCondition.Unknown,
        "TIMEOUT" => JobCondition.TimedOut,
        "NODE_FAIL" or "BOOT_FAIL" => JobCondition.NodeFailed,
        "PREEMPTED" => JobCondition.Preempted,
        _ => null,
    };

    /// <summary>The condition of a pending job, by the scheduler's reason for it.</summary>
    public static JobCondition OfPending(string reason)
    {
        if (s_held.Contains(reason, StringComparer.Ordinal))
            return JobCondition.Held;
        return s_never.Contains(reason, StringComparer.Ordinal) ? JobCondition.NeverStarts : JobCondition.Pending;
    }

    /// <summary>Adds what <c>ExitCode</c> says: <c>code:signal</c>. 0:53 is a script that could not be started, its directory or its output's is missing; 0:125 is memory.</summary>
    public static JobReport WithExitCode(JobReport report, string exitCode)
    {
        var colon = exitCode.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1 || !int.TryParse(exitCode.AsSpan(0, colon), out var code) || !int.TryParse(exitCode.AsSpan(colon + 1), out var signal))
            return report;
        return report.Condition switch
        {
            JobCondition.Failed when signal == 53 => report with { Condition = JobCondition.NotStarted, Reason = "its working directory or that of its output is missing, or the node cannot start it" },
            JobCondition.Failed => report with { ExitCode = signal == 0 ? code : null, Signal = signal == 0 ? null : signal },
            JobCondition.Completed => report with { ExitCode = code },
            _ => report,
        };
    }
}
