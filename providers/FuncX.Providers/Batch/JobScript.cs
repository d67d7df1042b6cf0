namespace FuncX.Providers.Batch;

/// <summary>What the commands of every block's batch script begin and end with. Paths are quoted once, here, and become no shell text.</summary>
internal static class JobScript
{
    /// <summary>The site's own lines first, so that none of ours stands on what they change; then the paths.</summary>
    public static IEnumerable<string> Begin(BatchJob job) =>
    [
        .. job.Block.Init.Length > 0 ? (string[])[job.Block.Init.TrimEnd(), ""] : [],
        $"block={ShellText.Quote(job.Block.Directory)}",
        $"rendezvous={ShellText.Quote(job.Block.Rendezvous)}",
        $"manager={ShellText.Quote(job.Block.Manager)}",
        "rm -f \"$block/exit\"",
    ];

    /// <summary>Says in the block's directory how it was, whatever the scheduler remembers.</summary>
    public static IEnumerable<string> End { get; } = ["status=$?", "echo \"$status\" >\"$block/exit\"", "exit \"$status\""];
}
