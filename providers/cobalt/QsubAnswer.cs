using FuncX.Providers.Batch;

namespace FuncX.Providers.Cobalt;

/// <summary>What qsub says of a submission: the id is the last line of stdout.</summary>
internal static class QsubAnswer
{
    // First line of stderr of every refusal by the server; says nothing.
    private const string Noise = "No handlers could be found for logger";

    private static readonly (string Word, string Key)[] s_keys =
    [
        // First: what follows is the user's.
        ("argument to env", "provider.environment"),
        ("walltime", "provider.walltime"), ("queue", "provider.queue"), ("time specification", "provider.walltime"), ("'time'", "provider.walltime"), ("node count", "provider.nodes_per_block"),
        ("nodecount", "provider.nodes_per_block"),
        // Of a site's filter.
        ("allocation", "provider.account"),
        ("attr", "provider.attributes"), ("option", "provider.directives"),
    ];

    public static SubmitAnswer Read(CommandOutput output)
    {
        if (output.ExitCode == 0)
        {
            var line = output.Lines.LastOrDefault()?.Trim() ?? "";
            return line.Length > 0 && line.All(char.IsAsciiDigit)
                ? new SubmitAnswer(SubmitKind.Accepted, line)
                : new SubmitAnswer(SubmitKind.Unclear, $"expected a job id, got '{output.Said}'");
        }

        if (CobaltErrors.IsAway(output))
            return new SubmitAnswer(output.Errors.Contains("Failed to connect", StringComparison.Ordinal) ? SubmitKind.Away : SubmitKind.Unclear, output.Said);
        var said = Said(output);
        return new SubmitAnswer(SubmitKind.Refused, said, s_keys.FirstOrDefault(pair => said.Contains(pair.Word, StringComparison.OrdinalIgnoreCase)).Key ?? "");
    }

    // A refusal by the server is inside <Fault 1001: "...">, by the client a line after the usage.
    private static string Said(CommandOutput output)
    {
        var begin = output.Errors.IndexOf("<Fault ", StringComparison.Ordinal);
        var quote = begin < 0 ? -1 : output.Errors.IndexOf(": ", begin, StringComparison.Ordinal);
        var end = quote < 0 ? -1 : output.Errors.IndexOf('>', quote);
        if (end > quote && quote > 0)
        {
            // Python's quotes, and none that belongs to the text: a queue is named in such at the end.
            var text = output.Errors[(quote + 2)..end].Trim();
            return text.Length > 1 && text[0] is '"' or '\'' && text[^1] == text[0] ? text[1..^1] : text;
        }

        return new CommandOutput(output.ExitCode, output.Output, string.Join('\n', output.Errors.Split('\n').Where(static line => !line.Contains(Noise, StringComparison.Ordinal)))).Said;
    }
}
