namespace FuncX.Providers.Batch;

/// <summary>A block as a job.</summary>
public sealed record BatchJob(BlockRequest Block)
{
    private const string Prefix = "funcx-";

    /// <summary>
    /// The job's name: <c>funcx-OWNER-BLOCK</c>. It is the tag by which a later process finds it, since every scheduler shows names, and names of letters, digits and
    /// hyphens are taken by all of them.
    /// </summary>
    public string Name => $"{PrefixOf(Block.Owner)}{Block.BlockId}";

    public string ScriptPath => Path.Combine(Block.Directory, "batch.sh");

    /// <summary>What the script and the scheduler write.</summary>
    public string LogPath => Path.Combine(Block.Directory, "batch.log");

    /// <summary>The script's last act: its exit status in a file. Of a job that no scheduler remembers it is the only word.</summary>
    public string ExitPath => Path.Combine(Block.Directory, "exit");

    /// <summary>How the names of an owner's jobs begin.</summary>
    public static string PrefixOf(string owner) => $"{Prefix}{owner}-";
}
