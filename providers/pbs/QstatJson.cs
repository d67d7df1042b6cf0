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
        if (PbsErrors.IsAway(output))
            return StatusAnswer.Away($"qstat: {output.Said}");
        if (PbsErrors.IsNotHere(output))
            return StatusAnswer.NotHere($"qstat: {output.Said}");
        if (!PbsErrors.IsAnswer(output.ExitCode))
            return StatusAnswer.Garbled($"qstat ended with {output.ExitCode}: {output.Said}");
        try
        {
            using var document = JsonDocument.Parse(output.Output, s_lenient);
            var jobs = new Dictionary<string, JobReport>(StringComparer.Ordinal);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("pbs_server", out _))
                return StatusAnswer.Garbled("qstat printed JSON that is not its own");
            if (document.RootElement.TryGetProperty("Jobs", out var list) && list.ValueKind == JsonValueKind.Object)
            {
                foreach (var job in list.EnumerateObject())
                    jobs[job.Name] = PbsJob.Of(name => job.Value.ValueKind == JsonValueKind.Object && job.Value.TryGetProperty(name, out var value) ? Text(value) : null).Report();
            }

            return StatusAnswer.Of(jobs);
        }
        catch (JsonException problem)
        {
            return StatusAnswer.Garbled($"qstat printed JSON that cannot be read: {problem.Message}");
        }
    }

    // What looks like a number is printed as one, whatever it is.
    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
}
