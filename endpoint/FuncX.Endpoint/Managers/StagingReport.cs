namespace FuncX.Endpoint.Managers;

/// <summary>How far a manager is with the files of <c>stage_in</c>, as it says in a <c>Status</c> frame.</summary>
public sealed record ManagerStaging
{
    public int Files { get; init; }

    public int FilesDone { get; init; }

    public long Bytes { get; init; }

    public long BytesDone { get; init; }

    /// <summary>Why it does not go on; empty while it does.</summary>
    public string Problem { get; init; } = "";
}

/// <summary>The same of all managers of a block together.</summary>
/// <param name="Managers">Managers that stage, or have staged, files.</param>
/// <param name="ManagersDone">Those of them that have all.</param>
/// <param name="Problem">Of the first that does not go on, with its node.</param>
public sealed record BlockStaging(int Managers, int ManagersDone, int Files, int FilesDone, long Bytes, long BytesDone, string Problem)
{
    private static readonly BlockStaging s_none = new(0, 0, 0, 0, 0, 0, "");

    /// <summary>By block; those whose managers have no files to stage are left out.</summary>
    internal static IReadOnlyDictionary<string, BlockStaging> Of(IEnumerable<ManagerPeer> managers)
    {
        var blocks = new Dictionary<string, BlockStaging>(StringComparer.Ordinal);
        foreach (var peer in managers)
        {
            if (peer.Report.Staging is { } staging)
                blocks[peer.Hello.Block] = blocks.GetValueOrDefault(peer.Hello.Block, s_none).With(staging, peer.Hello.Node, peer.InventoryDone);
        }

        return blocks;
    }

    private BlockStaging With(ManagerStaging manager, string node, bool isDone) => new(
        Managers + 1,
        ManagersDone + (isDone ? 1 : 0),
        Files + manager.Files,
        FilesDone + manager.FilesDone,
        Bytes + manager.Bytes,
        BytesDone + manager.BytesDone,
        Problem.Length > 0 || manager.Problem.Length == 0 ? Problem : $"{node}: {manager.Problem}");
}
