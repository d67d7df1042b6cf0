using System.Globalization;
using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>The attributes of a job that say where it stands, and what they mean together.</summary>
internal sealed record PbsJob(string State, int? Substate, int? ExitStatus, string Comment, string HoldTypes, int RunCount, string? Name)
{
    private const int Deleted = 91; // JOB_SUBSTATE_TERMINATED: whatever Exit_status says
    private const int WalltimeExceeded = -29; // JOB_EXEC_KILL_WALLTIME
    private const int NodeLost = -20; // JOB_EXEC_RERUN_MS_FAIL
    private const int TorqueWalltimeExceeded = -11; // JOB_EXEC_OVERLIMIT_WT
    private const int Signalled = 256; // 256 and the signal's number
    private const int CannotExecute = 127;

    // Those that are looked at, of the sixty that a job has.
    private static readonly string[] s_attributes = ["job_state", "substate", "Exit_status", "exit_status", "comment", "Hold_Types", "run_count", "Job_Name"];

    /// <summary>The attribute of that name; null: it says nothing that is looked at.</summary>
    public static string? Named(ReadOnlySpan<char> name)
    {
        foreach (var attribute in s_attributes)
        {
            if (name.SequenceEqual(attribute))
                return attribute;
        }

        return null;
    }

    public static PbsJob Of(Func<string, string?> attribute) => new(
        attribute("job_state") ?? "", Number(attribute("substate")), Number(attribute("Exit_status") ?? attribute("exit_status")), attribute("comment") ?? "", attribute("Hold_Types") ?? "",
        Number(attribute("run_count")) ?? 0, attribute("Job_Name"));

    public JobReport Report() => Condition() with { Name = Name };

    private JobReport Condition() => State switch
    {
        "Q" or "W" or "T" => Waiting(Comment.StartsWith("Can Never Run", StringComparison.OrdinalIgnoreCase) ? JobCondition.NeverStarts : JobCondition.Pending),
        // The same letter for a dependency, which is waiting like any other.
        "H" => Waiting(HoldTypes.Any(static hold => hold is 'u' or 'o' or 'p') ? JobCondition.Held : JobCondition.Pending),
        "R" or "B" => Comment.Contains(" terminated by ", StringComparison.Ordinal)
            ? new JobReport(JobCondition.Ending, Comment)
            : new JobReport(JobCondition.Running, RunCount > 1 ? $"started {RunCount} times; a prologue that fails starts it for ever" : ""),
        "S" or "U" => new JobReport(JobCondition.Suspended, Comment),
        "E" => new JobReport(JobCondition.Ending),
        "F" or "C" => Ended(),
        "X" => new JobReport(ExitStatus == 0 ? JobCondition.Completed : JobCondition.Failed) { ExitCode = ExitStatus },
        "M" => new JobReport(JobCondition.Unknown, "it was moved to another server"),
        _ => new JobReport(JobCondition.Unknown, $"its state '{State}' is none of PBS's"),
    };

    private JobReport Waiting(JobCondition condition) => new(condition, RunCount > 0 ? $"{Comment}; it ran {(RunCount == 1 ? "once" : $"{RunCount} times")} before" : Comment);

    private JobReport Ended()
    {
        if (Substate == Deleted)
            return new JobReport(JobCondition.Cancelled, Comment.IndexOf("terminated by ", StringComparison.Ordinal) is >= 0 and var at ? Comment[at..] : "");
        return ExitStatus switch
        {
            // It was over before it ran, by a dependency that failed for example; certainly not completed.
            null => new JobReport(JobCondition.NotStarted, Comment),
            0 => new JobReport(JobCondition.Completed) { ExitCode = 0 },
            WalltimeExceeded => new JobReport(JobCondition.TimedOut),
            TorqueWalltimeExceeded when State == "C" => new JobReport(JobCondition.TimedOut),
            NodeLost => new JobReport(JobCondition.NodeFailed),
            < 0 => new JobReport(JobCondition.Failed, $"PBS ended it (Exit_status {ExitStatus})"),
            CannotExecute => new JobReport(JobCondition.Failed, "its interpreter or a command was not found") { ExitCode = CannotExecute },
            // Of TORQUE, which has no substates to go by.
            >= Signalled when State == "C" => new JobReport(JobCondition.Cancelled, $"ended by signal {ExitStatus - Signalled}"),
            >= Signalled => new JobReport(JobCondition.Failed) { Signal = ExitStatus - Signalled },
            _ => new JobReport(JobCondition.Failed) { ExitCode = ExitStatus },
        };
    }

    private static int? Number(string? text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
}
