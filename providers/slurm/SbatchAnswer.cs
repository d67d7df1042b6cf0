using FuncX.Providers.Batch;

namespace FuncX.Providers.Slurm;

/// <summary>What sbatch says of a submission.</summary>
internal static class SbatchAnswer
{
    private const string Plain = "Submitted batch job ";

    // A word of the refusal, and the key that caused it.
    private static readonly (string Word, string Key)[] s_keys =
    [
        ("partition name", "provider.partition"), ("account/partition", "provider.account and provider.partition"), ("account", "provider.account"), ("qos", "provider.qos"),
        ("feature", "provider.constraint"), ("gres", "provider.gres and provider.gpus_per_node"), ("license", "provider.licenses"), ("reservation", "provider.reservation"),
        ("time limit", "provider.walltime"), ("--time", "provider.walltime"), ("Node count", "provider.nodes_per_block"), ("More processors", "provider.nodes_per_block"),
        ("node configuration", "provider.constraint, workers.per_node and workers.cores_per_worker"), ("Required partition", "provider.partition"), ("unrecognized option", "provider.directives"),
    ];

    public static SubmitAnswer Read(CommandOutput output)
    {
        if (output.ExitCode == 0)
        {
            // With --parsable ID or ID;CLUSTER; a wrapper of the site may have taken the option away. Chatter of -v is on stderr.
            var line = output.Lines.LastOrDefault()?.Trim() ?? "";
            var id = (line.StartsWith(Plain, StringComparison.Ordinal) ? line[Plain.Length..] : line).Split(';')[0].Split(' ')[0];
            return id.Length > 0 && id.All(char.IsAsciiDigit)
                ? new SubmitAnswer(SubmitKind.Accepted, id)
                : new SubmitAnswer(SubmitKind.Unclear, $"expected a job id, got '{output.Said}'");
        }

        if (SlurmErrors.MayHaveArrived(output.Errors))
            return new SubmitAnswer(SubmitKind.Unclear, output.Said);
        if (SlurmErrors.IsAway(output.Errors))
            return new SubmitAnswer(SubmitKind.Away, output.Said);
        return new SubmitAnswer(SubmitKind.Refused, output.Said, s_keys.FirstOrDefault(pair => output.Errors.Contains(pair.Word, StringComparison.OrdinalIgnoreCase)).Key ?? "");
    }
}
