using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>What qsub says of a submission: the id is the whole line.</summary>
internal static class QsubAnswer
{
    private static readonly (string Word, string Key)[] s_keys =
    [
        ("per-user limit", "blocks.max"), ("Resource_List.walltime", "provider.walltime"), ("Resource_List.select", "provider.select"), ("Resource_List.place", "provider.place"),
        ("Resource_List.filesystems", "provider.filesystems"), ("resource limits", "provider.walltime, provider.nodes_per_block and provider.queue"), ("Unauthorized", "provider.queue and provider.account"),
        // What sites refuse with hooks of their own is in their words; Argonne's also name a resource.
        ("allocation", "provider.account"), ("queue", "provider.queue"), ("account", "provider.account"), ("resource", "provider.select and provider.directives"), ("select or place", "provider.directives"),
        ("option", "provider.directives"), ("directive", "provider.directives"),
    ];

    public static SubmitAnswer Read(CommandOutput output)
    {
        if (output.ExitCode == 0)
        {
            var line = output.Lines.LastOrDefault()?.Trim() ?? "";
            return line.Length > 0 && char.IsAsciiDigit(line[0]) && !line.Contains(' ', StringComparison.Ordinal)
                ? new SubmitAnswer(SubmitKind.Accepted, line)
                : new SubmitAnswer(SubmitKind.Unclear, $"expected a job id, got '{output.Said}'");
        }

        // Usage, after what is wrong, has many lines: the first ones matter.
        var said = string.Join(" / ", output.Errors.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).TakeWhile(static line => !line.Contains("usage:", StringComparison.Ordinal)).Take(3));
        if (said.Length == 0)
            said = output.Said;
        if (PbsErrors.IsAway(output))
            return new SubmitAnswer(output.Errors.Contains("connect", StringComparison.OrdinalIgnoreCase) ? SubmitKind.Away : SubmitKind.Unclear, said);
        return new SubmitAnswer(SubmitKind.Refused, said, s_keys.FirstOrDefault(pair => said.Contains(pair.Word, StringComparison.OrdinalIgnoreCase)).Key ?? "");
    }
}
