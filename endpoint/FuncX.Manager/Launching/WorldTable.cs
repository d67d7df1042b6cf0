namespace FuncX.Manager.Launching;

/// <summary>
/// Decides which worlds a block has and when each is launched. A world that dies is launched again; one that comes to nothing over and over is split in two, so that what is
/// wrong with one node in the end costs that node alone. No clock, no process: the agent around it has those.
/// </summary>
internal sealed class WorldTable
{
    /// <summary>A world that has run for so long has come to something.</summary>
    public const long StableMilliseconds = 60_000;

    /// <summary>After so many failures in a row a world is split.</summary>
    public const int FailuresToSplit = 2;

    /// <summary>And after so many one node is given up.</summary>
    public const int FailuresToGiveUp = 5;

    private const long FirstPause = 1_000;
    private const long LongestPause = 30_000;

    private readonly List<World> _worlds = [];
    private readonly HashSet<string> _lost = new(StringComparer.Ordinal);
    private readonly List<string> _givenUp = [];
    private int _numbers;
    private long _endedAt;

    /// <param name="nodes">One rank each.</param>
    /// <param name="ranksPerWorld">At most; the worlds are as even as can be.</param>
    public WorldTable(IReadOnlyList<string> nodes, int ranksPerWorld, long now)
    {
        ArgumentOutOfRangeException.ThrowIfZero(nodes.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(ranksPerWorld, 1);
        var worlds = (nodes.Count + ranksPerWorld - 1) / ranksPerWorld;
        for (var i = 0; i < worlds; i++)
        {
            var (from, to) = ((int)((long)nodes.Count * i / worlds), (int)((long)nodes.Count * (i + 1) / worlds));
            Add([.. nodes.Skip(from).Take(to - from)], 0, now);
        }
    }

    /// <summary>Those that are not over.</summary>
    public IEnumerable<World> Worlds => _worlds.Where(static world => world.State != WorldState.Over);

    /// <summary>What is launched is a manager on one node that dials for itself: people know no world of it.</summary>
    public bool OfManagers { get; init; }

    /// <summary>Nodes on which nothing could be started.</summary>
    public IReadOnlyList<string> GivenUp => _givenUp;

    /// <summary>No world runs and none will.</summary>
    public bool IsOver => !Worlds.Any();

    /// <summary>How a world, or a rank of one that goes on, ended last, for people; empty: none has.</summary>
    public string LastEnd { get; private set; } = "";

    /// <summary>When the last end is past: every world has run for a while since. Null: none has ended, one waits for its launch, or a node was given up.</summary>
    public long? PastAt => LastEnd.Length == 0 || _givenUp.Count > 0 || NextDue is not null ? null
        : Worlds.Where(static world => world.LastEnd.Length > 0).Select(static world => world.RunningSince).Append(_endedAt).Max() + StableMilliseconds;

    /// <summary>The next moment at which <see cref="TakeDue"/> has something; null: none.</summary>
    public long? NextDue => Worlds.Where(static world => world.State == WorldState.Waiting).Min(static world => (long?)world.DueAt);

    /// <summary>A world that is to be launched now; it counts as running from here on.</summary>
    public World? TakeDue(long now)
    {
        var world = _worlds.Find(world => world.State == WorldState.Waiting && world.DueAt <= now);
        if (world is null)
            return null;
        world.State = WorldState.Running;
        world.RunningSince = now;
        world.Launches++;
        return world;
    }

    /// <summary>A world's launcher has ended, however it did: while the block lasts there is to be a world.</summary>
    /// <param name="how">For people.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="cameToNothing">Its ranks did not find each other, however long they tried.</param>
    public void OnEnded(World world, string how, long now, bool cameToNothing = false)
    {
        if (world.State != WorldState.Running)
            return;
        world.LastEnd = how;
        (LastEnd, _endedAt) = ($"{(OfManagers ? "the manager" : $"world {world.Number}")} on {Named(world.Nodes)} ended: {how}", now);
        world.Failures = now - world.RunningSince >= StableMilliseconds && !cameToNothing ? 1 : world.Failures + 1;
        world.Nodes = [.. world.Nodes.Where(node => !_lost.Contains(node))];
        if (world.Nodes.Count == 0)
        {
            world.State = WorldState.Over;
            return;
        }

        var hosts = world.Nodes.Distinct(StringComparer.Ordinal).Count();
        if (world.Failures >= FailuresToSplit && hosts > 1)
        {
            world.State = WorldState.Over;
            var half = Half(world.Nodes);
            // They have failed together: each has the right to fail alone once before it is split further.
            Add([.. world.Nodes.Take(half)], FailuresToSplit - 1, now + FirstPause, how);
            Add([.. world.Nodes.Skip(half)], FailuresToSplit - 1, now + FirstPause, how);
            return;
        }

        if (world.Failures >= FailuresToGiveUp)
        {
            world.State = WorldState.Over;
            _givenUp.Add(world.Nodes[0]);
            return;
        }

        world.State = WorldState.Waiting;
        world.DueAt = now + Math.Min(LongestPause, FirstPause << Math.Min(10, world.Failures - 1));
    }

    /// <summary>A rank of a running world is gone and the others go on without it: its node goes on as a world of its own.</summary>
    /// <param name="how">For people.</param>
    /// <returns>That world; null: the world is none that runs, or has no such node besides others.</returns>
    public World? OnRankLost(World world, string node, string how, long now)
    {
        if (world.State != WorldState.Running || world.Nodes.Count < 2 || !world.Nodes.Contains(node))
            return null;
        var left = world.Nodes.ToList();
        left.Remove(node);
        world.Nodes = left;
        if (_lost.Contains(node))
            return null;
        var own = Add([node], 0, now + FirstPause, how);
        (LastEnd, _endedAt) = ($"{how}: its node goes on as world {own.Number}", now);
        return own;
    }

    /// <summary>How a world ended last, and that it runs again when that is so; empty once it is past.</summary>
    public string Note(long now) => PastAt is not { } past ? LastEnd : now < past ? $"{LastEnd}; it was launched again" : "";

    /// <summary>A world has ended because it was told to.</summary>
    public void OnDone(World world) => world.State = WorldState.Over;

    /// <summary>The scheduler has taken a node out of the job: no further launch uses it.</summary>
    /// <returns>Whether it is news.</returns>
    public bool OnNodeLost(string node)
    {
        if (!_lost.Add(node))
            return false;
        foreach (var world in _worlds.Where(static world => world.State == WorldState.Waiting))
        {
            world.Nodes = [.. world.Nodes.Where(other => other != node)];
            if (world.Nodes.Count == 0)
                world.State = WorldState.Over;
        }

        return true;
    }

    private static string Named(IReadOnlyList<string> nodes)
    {
        var others = nodes.Distinct(StringComparer.Ordinal).Count() - 1;
        return others switch { 0 => nodes[0], 1 => $"{nodes[0]} and 1 other", _ => $"{nodes[0]} and {others} others" };
    }

    // Not between two ranks of one host.
    private static int Half(IReadOnlyList<string> nodes)
    {
        var half = nodes.Count / 2;
        while (half < nodes.Count && nodes[half] == nodes[half - 1])
            half++;
        if (half < nodes.Count)
            return half;
        half = nodes.Count / 2;
        while (nodes[half] == nodes[half - 1])
            half--;
        return half;
    }

    private World Add(IReadOnlyList<string> nodes, int failures, long due, string lastEnd = "")
    {
        var world = new World(++_numbers, nodes) { Failures = failures, DueAt = due, LastEnd = lastEnd };
        _worlds.Add(world);
        return world;
    }
}
