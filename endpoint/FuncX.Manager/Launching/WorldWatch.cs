using FuncX.Manager.Interop;
using FuncX.Manager.World;

namespace FuncX.Manager.Launching;

/// <summary>
/// Looks after one launch of a world: its ranks have to find each other. A launcher that lets the other ranks live when one dies tells of no death, and Open MPI's (4.1) does not even end when all
/// ranks are gone but one was killed: what it does not tell is told here. No clock, no process: the agent around it has those.
/// </summary>
/// <param name="sparesSurvivors">The launcher is such a one; another ends the world with any of its ranks.</param>
internal sealed class WorldWatch(IReadOnlyList<string> nodes, bool sparesSurvivors)
{
    /// <summary>What ends by itself has ended by then.</summary>
    public const long Grace = 1_500;

    /// <summary>Ranks that miss their leader go within 10 s, and their workers within 3.</summary>
    public const long Patience = 15_000;

    /// <summary>So long ranks may take to find each other: one that hangs in MPI_Init would hold up all for ever.</summary>
    public const long UpWithin = 300_000;

    private readonly Dictionary<int, long> _lostSince = [];
    private readonly HashSet<int> _replaced = [];
    private readonly List<int> _given = [.. Enumerable.Range(0, nodes.Count)];
    private long? _begun;
    private long? _overSince;
    private int _signals;
    private bool _isUp;

    /// <summary>Why the launcher is ended; empty: it is not, or the world was to end.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Whether there is still something to look for.</summary>
    public bool IsNeeded => sparesSurvivors || !_isUp;

    /// <summary>The world has ended as it should, whatever its launcher makes of it.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Its ranks have not found each other, and it is over: however long that took, it came to nothing.</summary>
    public bool CameToNothing => !_isUp && _overSince is not null && !IsDone;

    /// <summary>Looks at what was said until now.</summary>
    /// <param name="now">Milliseconds.</param>
    public WatchVerdict Look(WorldSigns signs, long now)
    {
        _begun ??= now;
        _isUp |= signs.IsUp;
        if (WhyOver(signs, now) is { } why)
        {
            (_overSince, Reason) = (_overSince ?? now, Reason.Length > 0 ? Reason : why);
            IsDone = signs.Over == 0 && why.Length == 0;
        }

        if (_overSince is { } since)
            return new WatchVerdict(SignalAfter(now - since), []);
        if (!sparesSurvivors)
            return new WatchVerdict(0, []);
        foreach (var lost in signs.Lost)
            _lostSince.TryAdd(lost.Rank, now);
        return new WatchVerdict(0, [.. signs.Lost.Where(lost => now - _lostSince[lost.Rank] >= Grace && _replaced.Add(lost.Rank)).Select(lost => lost with { Node = NodeOf(lost) })]);
    }

    // Null: it goes on. Without its leader a world reaches nobody, and without one that was not there yet it does not begin.
    private string? WhyOver(WorldSigns signs, long now)
    {
        if (sparesSurvivors)
        {
            if (signs.Over == 0)
                return "";
            // Before what those said who then missed it.
            if (signs.Lost.Any(static lost => lost.Rank == 0))
                return "its leader was killed";
            if (signs.Over is { } code)
                return $"exit code {code}";
            if (!_isUp && (signs.LostBeforeUp || signs.Lost.Count > 0))
                return "a rank died before all had found each other";
        }

        return !_isUp && now - _begun > UpWithin ? $"its ranks have not found each other in {UpWithin / 1_000} s" : null;
    }

    private int SignalAfter(long waited)
    {
        var signals = waited < Grace ? 0 : waited < Grace + Patience ? 1 : 2;
        if (signals <= _signals)
            return 0;
        _signals = signals;
        return signals == 1 ? Libc.SIGTERM : Libc.SIGKILL;
    }

    // By the rank's place in the list where that has the node's name or says nothing of it, else by the name: srun orders nodes as Slurm does, aprun by number.
    private string NodeOf(LostRank lost)
    {
        var place = lost.Rank < nodes.Count && (IsCalled(nodes[lost.Rank], lost.Node) || !nodes.Any(node => IsCalled(node, lost.Node)))
            ? lost.Rank
            : _given.FindIndex(index => IsCalled(nodes[index], lost.Node)) is var found and >= 0 ? _given[found] : lost.Rank;
        _given.Remove(place);
        return nodes[Math.Min(place, nodes.Count - 1)];
    }

    private static bool IsCalled(string node, string name) => node.Split('.')[0].Equals(name.Split('.')[0], StringComparison.OrdinalIgnoreCase);
}
