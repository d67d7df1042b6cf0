using FuncX.Providers.Batch;

namespace FuncX.Providers.Slurm;

/// <summary>What sacct says: a line for each run of a job, the newest last. It lags behind the controller by seconds, and a site may be without it.</summary>
internal static class SacctAnswer
{
    public const string Format = "JobID,JobName,State,ExitCode,DerivedExitCode,Reason,NodeList,NNodes,Submit,Start,End,Elapsed,Timelimit,Partition,Account,Comment";

    private const int Fields = 16;

    // The name of a job of which the database has heard the beginning of its end only.
    private const string Unnamed = "allocation";

    public static StatusAnswer Read(CommandOutput output)
    {
        if (output.Errors.Contains("accounting storage is disabled", StringComparison.OrdinalIgnoreCase))
            return StatusAnswer.NotHere($"sacct: {output.Said}");
        if (output.ExitCode != 0)
            return SlurmErrors.IsAway(output.Errors) ? StatusAnswer.Away($"sacct: {output.Said}") : StatusAnswer.Garbled($"sacct ended with {output.ExitCode}: {output.Said}");
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        var garbled = "";
        foreach (var line in output.Lines)
        {
            var fields = line.Split('|', Fields);
            var words = fields.Length == Fields ? fields[2].Split(' ', 2) : [""];
            if (SlurmStates.Of(words[0]) is not { } condition)
            {
                garbled = $"sacct printed a line that is no job: '{(line.Length > 120 ? line[..120] : line)}'";
                continue;
            }

            jobs[fields[0]] = Report(condition, words.Length > 1 ? words[1] : "", fields);
        }

        // The run that counts is the last one, and that may be what is missing.
        return garbled.Length > 0 || output.EndsInLine ? StatusAnswer.Garbled(garbled.Length > 0 ? garbled : "sacct's last line is cut") : StatusAnswer.Of(jobs);
    }

    private static JobReport Report(JobCondition condition, string by, string[] fields)
    {
        var reason = by.Length > 0 ? $"{by.Replace("by ", "by user id ", StringComparison.Ordinal)}" : fields[5];
        var report = new JobReport(condition == JobCondition.Pending ? SlurmStates.OfPending(reason) : condition, reason == "None" ? "" : reason) { Name = fields[1] == Unnamed ? null : fields[1] };
        return SlurmStates.WithExitCode(report, fields[3]);
    }
}
