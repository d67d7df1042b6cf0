using FuncX.Providers.Batch;

namespace FuncX.Providers.Slurm;

/// <summary>What <c>scontrol show job</c> says: paragraphs of <c>Key=value</c>, a job each.</summary>
internal static class ScontrolAnswer
{
    public static StatusAnswer Read(CommandOutput output)
    {
        if (output.Errors.Contains("Invalid job id specified", StringComparison.Ordinal))
            return StatusAnswer.Nothing;
        if (output.ExitCode != 0)
            return SlurmErrors.IsAway(output.Errors) ? StatusAnswer.Away($"scontrol: {output.Said}") : StatusAnswer.Garbled($"scontrol ended with {output.ExitCode}: {output.Said}");
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        foreach (var job in output.Output.Split("\n\n").Where(static job => job.Contains("JobId=", StringComparison.Ordinal)))
        {
            if (Report(job.Split('\n')) is not { } report)
                return StatusAnswer.Garbled("scontrol printed a job without a state, or not all of it", jobs);
            jobs[report.Id] = report.Report;
        }

        if (output.EndsInLine)
            return StatusAnswer.Garbled("scontrol's last line is cut", jobs);
        return jobs.Count > 0 ? StatusAnswer.Of(jobs) : StatusAnswer.Garbled($"scontrol printed no job: '{output.Said}'");
    }

    // Keys are looked for where scontrol puts them: a name or a comment may hold any of them.
    private static (string Id, JobReport Report)? Report(string[] lines)
    {
        var first = Array.FindIndex(lines, static line => line.StartsWith("JobId=", StringComparison.Ordinal));
        if (first < 0)
            return null;
        var (id, array) = (Word(lines[first], "JobId="), Word(lines[first], "ArrayTaskId="));
        var named = lines[first].IndexOf("JobName=", StringComparison.Ordinal);
        var states = lines.FirstOrDefault(static line => line.StartsWith("   JobState=", StringComparison.Ordinal));
        var codes = lines.FirstOrDefault(static line => line.StartsWith("   Requeue=", StringComparison.Ordinal));
        if (id is null || named < 0 || states is null || codes is null || Word(states, "JobState=") is not { } state || SlurmStates.Of(state) is not { } condition || Word(codes, "ExitCode=") is not { } exitCode)
            return null;
        var restarts = Word(codes, "Restarts=");
        var reason = Between(states, "Reason=", " Dependency=");
        var report = new JobReport(condition == JobCondition.Pending ? SlurmStates.OfPending(reason) : condition,
            reason is "None" || condition.IsEnd() ? "" : restarts is null or "0" ? reason : $"{reason}; started {restarts} times before")
        {
            Name = lines[first][(named + "JobName=".Length)..],
        };
        return (array is null ? id : $"{Word(lines[first], "ArrayJobId=")}_{array}", SlurmStates.WithExitCode(report, exitCode));
    }

    private static string? Word(string line, string key)
    {
        var at = line.IndexOf(key, StringComparison.Ordinal);
        if (at < 0)
            return null;
        var word = line[(at + key.Length)..];
        return word.IndexOf(' ', StringComparison.Ordinal) is >= 0 and var end ? word[..end] : word;
    }

    private static string Between(string line, string from, string to)
    {
        var begin = line.IndexOf(from, StringComparison.Ordinal);
        var end = line.LastIndexOf(to, StringComparison.Ordinal);
        // Its words are joined by underscores there.
        return begin < 0 || end < begin + from.Length ? "None" : line[(begin + from.Length)..end].Replace('_', ' ');
    }
}
