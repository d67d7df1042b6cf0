using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>What <c>qstat -f</c> says: a paragraph for each job, <c>name = value</c> indented by four, long values cut and continued after a tab.</summary>
internal static class QstatText
{
    private const string Heading = "Job Id: ";
    private const string Indent = "    ";

    public static StatusAnswer Read(CommandOutput output)
    {
        if (PbsErrors.IsAway(output))
            return StatusAnswer.Away($"qstat: {output.Said}");
        if (PbsErrors.IsNotHere(output))
            return StatusAnswer.NotHere($"qstat: {output.Said}");
        if (!PbsErrors.IsAnswer(output.ExitCode))
            return StatusAnswer.Garbled($"qstat ended with {output.ExitCode}: {output.Said}");
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        string? id = null, last = null, garbled = null;
        var whole = false;
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in output.Output.Split('\n').SkipLast(1).Append(Heading))
        {
            if (line.StartsWith(Heading, StringComparison.Ordinal))
            {
                // An empty line ends a job; what has none was cut, and its exit status may be missing.
                if (id is not null && whole && attributes.ContainsKey("job_state"))
                    jobs[id] = PbsJob.Of(attributes.GetValueOrDefault).Report();
                else if (id is not null)
                    garbled = $"qstat printed job {id} without a state, or not to its end";
                (id, last, whole) = (line[Heading.Length..].Trim(), null, false);
                attributes.Clear();
            }
            else if (line.Length == 0)
                whole |= attributes.Count > 0;
            else if (line.StartsWith('\t') && last is not null)
                attributes[last] += line[1..];
            else if (id is not null && line.StartsWith(Indent, StringComparison.Ordinal) && line.IndexOf(" = ", StringComparison.Ordinal) is > 0 and var equals)
            {
                last = line[..equals].Trim();
                // The first: a variable with a line break in it may look like an attribute.
                if (!attributes.TryAdd(last, line[(equals + 3)..]))
                    last = null;
            }
            else if (id is null && line.Trim().Length > 0)
                garbled = $"qstat printed '{(line.Length > 120 ? line[..120] : line)}'";
        }

        return garbled is null ? StatusAnswer.Of(jobs) : StatusAnswer.Garbled(garbled, jobs);
    }
}
