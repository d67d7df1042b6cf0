using FuncX.Providers.Batch;

namespace FuncX.Providers.Cobalt;

/// <summary>
/// What <c>qstat --header ...</c> says: a heading, a line of <c>=</c>, and a line for each job. Columns are as wide as their widest value and found by the heading, since a
/// name may hold spaces.
/// </summary>
internal static class QstatTable
{
    public const string Header = "JobID:JobName:User:State:Location";

    public static StatusAnswer Read(CommandOutput output)
    {
        if (CobaltErrors.IsAway(output))
            return StatusAnswer.Away($"qstat: {output.Said}");
        // An id that is not there, or not any more: no word of it, whatever its number.
        if (output.ExitCode == 1 && output.Output.Length == 0 && output.Errors.Trim().Length == 0)
            return StatusAnswer.Nothing;
        if (output.ExitCode != 0)
            return StatusAnswer.Garbled($"qstat ended with {output.ExitCode}: {output.Said}");
        var lines = output.Lines.ToArray();
        if (lines.Length < 2 || !lines[0].StartsWith("JobID", StringComparison.Ordinal) || lines[1].Trim('=').Length > 0)
            return StatusAnswer.Garbled($"qstat printed no table: '{output.Said}'");
        var columns = Columns(lines[0]);
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        var garbled = "";
        foreach (var line in lines.Skip(2))
        {
            var (id, state) = (Cell(line, columns, "JobID"), Cell(line, columns, "State"));
            // A cut line has a cut state, or a cut last column: whole ones are padded to the end.
            if (id is null || !id.All(char.IsAsciiDigit) || state is null || line.Length < lines[0].Length)
                garbled = $"qstat printed a line that is no job: '{(line.Length > 120 ? line[..120] : line)}'";
            else
                jobs[id] = Report(state) with { Name = Path.GetFileName(Cell(line, columns, "JobName")) };
        }

        // Of a line of '=' as well: below it there were jobs.
        if (garbled.Length == 0 && output.EndsInLine)
            garbled = "qstat's last line is cut";
        return garbled.Length > 0 ? StatusAnswer.Garbled(garbled, jobs) : StatusAnswer.Of(jobs);
    }

    private static JobReport Report(string state) => state switch
    {
        "queued" => new JobReport(JobCondition.Pending),
        "dep_hold" or "maxrun_hold" or "hold" => new JobReport(JobCondition.Pending, state),
        // Of a job that was submitted with --preemptable: it runs anew under its id (cqm.py; not recorded).
        "preempted" => new JobReport(JobCondition.Pending, state),
        "dep_fail" => new JobReport(JobCondition.NeverStarts, "a job it waits for has failed (dep_fail)"),
        "user_hold" or "admin_hold" => new JobReport(JobCondition.Held, state),
        "starting" => new JobReport(JobCondition.Starting),
        "running" => new JobReport(JobCondition.Running),
        "killing" or "exiting" or "preempting" => new JobReport(JobCondition.Ending, state),
        _ => new JobReport(JobCondition.Unknown, $"its state '{state}' is none that is known of Cobalt"),
    };

    private static (string Name, int Start)[] Columns(string heading)
    {
        var columns = new List<(string, int)>();
        for (var at = 0; at < heading.Length;)
        {
            var end = heading.IndexOf(' ', at) is >= 0 and var space ? space : heading.Length;
            columns.Add((heading[at..end], at));
            at = end;
            while (at < heading.Length && heading[at] == ' ')
                at++;
        }

        return [.. columns];
    }

    private static string? Cell(string line, (string Name, int Start)[] columns, string name)
    {
        var column = Array.FindIndex(columns, column => column.Name == name);
        if (column < 0 || line.Length <= columns[column].Start)
            return null;
        var end = column + 1 < columns.Length ? Math.Min(line.Length, columns[column + 1].Start) : line.Length;
        return line[columns[column].Start..end].Trim() is { Length: > 0 } text ? text : null;
    }
}
