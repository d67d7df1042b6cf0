using FuncX.Providers.Batch;

namespace FuncX.Providers.Slurm;

/// <summary>What squeue says: a line for each job that the controller remembers.</summary>
internal static class SqueueAnswer
{
    /// <summary>Name and comment at the end, since they may hold the separator.</summary>
    public const string Format = "%i|%T|%r|%D|%N|%l|%L|%M|%V|%S|%e|%P|%u|%a|%q|%j|%k";

    private const int Fields = 17;

    public static StatusAnswer Read(CommandOutput output)
    {
        // One id that is not known is an error of squeue's, several are not: both mean the same.
        if (output.ExitCode != 0 && output.Errors.Contains("Invalid job id specified", StringComparison.Ordinal))
            return StatusAnswer.Nothing;
        if (output.ExitCode != 0)
            return SlurmErrors.IsAway(output.Errors) ? StatusAnswer.Away($"squeue: {output.Said}") : StatusAnswer.Garbled($"squeue ended with {output.ExitCode}: {output.Said}");
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        var garbled = "";
        foreach (var line in output.Lines)
        {
            var fields = line.Split('|', Fields);
            if (fields.Length < Fields || !IsWord(fields[1]))
            {
                garbled = $"squeue printed a line that is no job: '{(line.Length > 120 ? line[..120] : line)}'";
                continue;
            }

            // A state of a newer release: this job is not understood, the others are.
            var report = SlurmStates.Of(fields[1]) is { } condition
                ? Report(condition, fields[2])
                : new JobReport(JobCondition.Unknown, $"its state {fields[1]} is none that is known of Slurm");
            jobs[fields[0]] = report with { Name = fields[15], Left = report.Condition is JobCondition.Running or JobCondition.Suspended ? SlurmTime.Parse(fields[6]) : null };
        }

        if (garbled.Length > 0 || output.EndsInLine)
            return StatusAnswer.Garbled(garbled.Length > 0 ? garbled : "squeue's last line is cut", jobs);
        // Without a job of ours it may still complain, of a user it does not know for example.
        return jobs.Count == 0 && output.Errors.Trim().Length > 0 ? StatusAnswer.Garbled($"squeue: {output.Said}") : StatusAnswer.Of(jobs);
    }

    private static bool IsWord(string text) => text.Length > 2 && text.All(static letter => char.IsAsciiLetterUpper(letter) || letter == '_');

    private static JobReport Report(JobCondition condition, string reason)
    {
        // How it ended accounting knows better; JobLaunchFailure for example stands for a crash, too.
        if (condition.IsEnd())
            return new JobReport(condition, reason is "None" or "JobLaunchFailure" or "NonZeroExitCode" ? "" : reason) { LacksDetail = condition is JobCondition.Failed or JobCondition.Cancelled };
        if (condition == JobCondition.Unknown)
            return new JobReport(condition, "another cluster of the federation has started it");
        return new JobReport(condition == JobCondition.Pending ? SlurmStates.OfPending(reason) : condition, reason == "None" ? "" : reason);
    }
}
