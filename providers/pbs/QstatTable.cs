using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>
/// What plain <c>qstat</c> says: a heading, a line of hyphens, and a line for each job, with a letter for where it stands and no more. Ids are cut before the second dot and at 17 characters, so that
/// a job of a server with a long name is not found here; names are cut at 15 (qstat.c).
/// </summary>
internal static class QstatTable
{
    private const int CutName = 15;

    private static readonly string[] s_heading = ["Job id", "Name", "User", "Time Use", "S", "Queue"];

    public static StatusAnswer Read(CommandOutput output)
    {
        if (PbsErrors.WithoutJobs(output) is { } answer)
            return answer;
        if (output.Output.Length == 0)
            return StatusAnswer.Nothing;
        var lines = output.Lines.ToArray();
        // What the server is to say to everybody stands above.
        var ruler = Array.FindIndex(lines, static line => line.StartsWith("--", StringComparison.Ordinal));
        var columns = ruler > 0 ? Columns(lines[ruler]) : [];
        if (columns.Length != s_heading.Length || !s_heading.SequenceEqual(Cells(lines[ruler - 1], columns)))
            return StatusAnswer.Garbled($"qstat printed no table of jobs: '{output.Said}'");
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        var garbled = output.EndsInLine ? "qstat's last line is cut" : "";
        foreach (var line in lines.Skip(ruler + 1).SkipLast(output.EndsInLine ? 1 : 0))
        {
            if (Cells(line, columns) is [{ Length: > 0 } id, var name, _, _, { Length: 1 } state, { Length: > 0 }] && char.IsAsciiDigit(id[0]) && columns.All(column => column == 0 || line[column - 1] == ' '))
                jobs[id] = Report(state) with { Name = name.Length < CutName ? name : null };
            else
                garbled = $"qstat printed a line that is no job: '{(line.Length > 120 ? line[..120] : line)}'";
        }

        return garbled.Length > 0 ? StatusAnswer.Garbled(garbled, jobs) : StatusAnswer.Of(jobs);
    }

    private static JobReport Report(string state) => state switch
    {
        "H" => new JobReport(JobCondition.Pending, "held, or waiting for another job"),
        "F" or "C" or "X" => new JobReport(JobCondition.Unknown, "it has ended, and plain qstat does not say how"),
        _ => PbsJob.Of(attribute => attribute == "job_state" ? state : null).Report(),
    };

    private static int[] Columns(string ruler) => [.. Enumerable.Range(0, ruler.Length).Where(at => ruler[at] == '-' && (at == 0 || ruler[at - 1] == ' '))];

    // To where the next one begins: an id is one wider than its hyphens.
    private static string[] Cells(string line, int[] columns) =>
        [.. columns.Select((from, index) => line.Length <= from ? "" : line[from..(index + 1 < columns.Length ? Math.Min(line.Length, columns[index + 1]) : line.Length)].Trim())];
}
