using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>What <c>qstat -f</c> says: a paragraph for each job, <c>name = value</c> indented by four, long values cut and continued after a tab.</summary>
internal static class QstatText
{
    private const string Heading = "Job Id: ";
    private const string Indent = "    ";

    public static StatusAnswer Read(CommandOutput output)
    {
        if (PbsErrors.WithoutJobs(output) is { } answer)
            return answer;
        var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
        string? id = null, last = null, garbled = null;
        var (whole, described) = (false, false);
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        var text = output.Output.AsSpan();
        for (; text.IndexOf('\n') is >= 0 and var end; text = text[(end + 1)..])
        {
            var line = text[..end];
            if (line.StartsWith(Heading, StringComparison.Ordinal))
            {
                Conclude();
                (id, last, whole, described) = (line[Heading.Length..].Trim().ToString(), null, false, false);
                attributes.Clear();
            }
            else if (line.IsEmpty)
            {
                whole |= described;
            }
            else if (line[0] == '\t' && id is not null)
            {
                if (last is not null)
                    attributes[last] += line[1..].ToString();
            }
            else if (id is not null && line.StartsWith(Indent, StringComparison.Ordinal) && line.IndexOf(" = ", StringComparison.Ordinal) is > 0 and var equals)
            {
                described = true;
                last = PbsJob.Named(line[..equals].Trim());
                // The first: a variable with a line break in it may look like an attribute.
                if (last is not null && !attributes.TryAdd(last, line[(equals + 3)..].ToString()))
                    last = null;
            }
            else if (id is null && !line.Trim().IsEmpty)
            {
                garbled = $"qstat printed '{(line.Length > 120 ? line[..120] : line)}'";
            }
        }

        Conclude();
        // What stands behind the last line break was cut, and may be the beginning of a job.
        if (output.EndsInLine)
            garbled ??= $"qstat's last line is cut: '{(text.Length > 120 ? text[..120] : text)}'";
        return garbled is null ? StatusAnswer.Of(jobs) : StatusAnswer.Garbled(garbled, jobs);

        void Conclude()
        {
            // An empty line ends a job; what has none was cut, and its exit status may be missing.
            if (id is not null && whole && attributes.ContainsKey("job_state"))
                jobs[id] = PbsJob.Of(attributes.GetValueOrDefault).Report();
            else if (id is not null)
                garbled = $"qstat printed job {id} without a state, or not to its end";
        }
    }
}
