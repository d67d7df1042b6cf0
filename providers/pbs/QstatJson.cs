using System.Text.Json;
using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>What <c>qstat -f -F json</c> says. Without a server it prints a good document, too: the exit code tells, and the missing <c>Jobs</c> does not.</summary>
internal static class QstatJson
{
    // Names of other users' variables are repeated at times.
    private static readonly JsonDocumentOptions s_lenient = new() { AllowTrailingCommas = true };

    public static StatusAnswer Read(CommandOutput output)
    {
        if (PbsErrors.WithoutJobs(output) is { } answer)
            return answer;
        try
        {
            using var document = JsonDocument.Parse(output.Output, s_lenient);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("pbs_server", out _))
                return StatusAnswer.Garbled("qstat printed JSON that is not its own");
            if (!document.RootElement.TryGetProperty("Jobs", out var list))
                return Other(document.RootElement) is { } other ? StatusAnswer.Garbled($"qstat printed JSON that has '{other}' and no jobs") : StatusAnswer.Nothing;
            if (list.ValueKind != JsonValueKind.Object)
                return StatusAnswer.Garbled("qstat printed JSON whose jobs are none");
            var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
            foreach (var job in list.EnumerateObject())
                jobs[job.Name] = PbsJob.Of(name => job.Value.ValueKind == JsonValueKind.Object && job.Value.TryGetProperty(name, out var value) ? Text(value) : null).Report();
            return StatusAnswer.Of(jobs);
        }
        catch (JsonException problem)
        {
            return StatusAnswer.Garbled($"qstat printed JSON that cannot be read: {problem.Message}");
        }
    }

    // Queues, nodes and the server are printed in a document like this one (recorded: qstat-queues-json, pbsnodes-one-json, qstat-server-json); of jobs they say nothing.
    private static string? Other(JsonElement root)
    {
        foreach (var member in root.EnumerateObject())
        {
            if (member.Name is not ("timestamp" or "pbs_version" or "pbs_server"))
                return member.Name;
        }

        return null;
    }

    // What looks like a number is printed as one, whatever it is.
    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
}
