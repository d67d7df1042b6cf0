namespace FuncX.Manager.Pools;

/// <summary>One owner's pool as the policy sees it.</summary>
/// <param name="Queued">Tasks that wait.</param>
/// <param name="Busy">Workers with tasks.</param>
/// <param name="Idle">Ready workers without.</param>
/// <param name="Starting">Workers asked for that have not said hello.</param>
/// <param name="Leaving">Workers that end, or will when their tasks are done; they hold their slots still.</param>
internal readonly record struct PoolDemand(int Queued, int Busy, int Idle, int Starting, int Leaving)
{
    /// <summary>Workers that it has and keeps.</summary>
    public int Kept => Busy + Idle + Starting;
}

/// <summary>What one pool is to do.</summary>
/// <param name="Start">Workers to start now.</param>
/// <param name="Retire">Workers to give up: idle ones at once, busy ones after their tasks.</param>
internal readonly record struct PoolDecision(int Start, int Retire);

/// <summary>
/// Shares the node's worker slots among owners. While there is room everybody gets what they ask for and idle workers stay warm; when not,
/// slots are shared evenly among those who want them, and who holds more gives up idle workers first. Pure. A worker never changes its owner.
/// </summary>
internal static class PoolPolicy
{
    /// <summary>Decides for all pools together; <paramref name="decisions"/> is as long as <paramref name="pools"/>.</summary>
    public static void Decide(ReadOnlySpan<PoolDemand> pools, int perNode, Span<PoolDecision> decisions)
    {
        decisions.Clear();
        Span<int> allotted = pools.Length <= 64 ? stackalloc int[pools.Length] : new int[pools.Length];
        Share(pools, perNode, allotted);
        var free = perNode;
        foreach (var pool in pools)
            free -= pool.Kept + pool.Leaving;
        var missing = 0;
        for (var i = 0; i < pools.Length; i++)
        {
            var wanted = Math.Max(0, allotted[i] - pools[i].Kept);
            var start = Math.Min(wanted, Math.Max(0, free));
            free -= start;
            missing += wanted - start;
            decisions[i] = new PoolDecision(start, 0);
        }

        // Slots that are being given up already will serve the next decision.
        foreach (var pool in pools)
            missing -= pool.Leaving;
        GiveUp(pools, allotted, decisions, ref missing, onlyIdle: true);
        GiveUp(pools, allotted, decisions, ref missing, onlyIdle: false);
    }

    private static void GiveUp(ReadOnlySpan<PoolDemand> pools, ReadOnlySpan<int> allotted, Span<PoolDecision> decisions, ref int missing, bool onlyIdle)
    {
        for (var i = 0; i < pools.Length && missing > 0; i++)
        {
            var over = Math.Max(0, pools[i].Kept - decisions[i].Retire - allotted[i]);
            var can = onlyIdle ? Math.Min(over, pools[i].Idle) : over;
            var retire = Math.Min(can, missing);
            missing -= retire;
            decisions[i] = decisions[i] with { Retire = decisions[i].Retire + retire };
        }
    }

    // Max-min fair: everybody who wants no more than an even share gets all of it, the rest share what is left.
    private static void Share(ReadOnlySpan<PoolDemand> pools, int perNode, Span<int> allotted)
    {
        allotted.Clear();
        var left = perNode;
        var open = true;
        while (open && left > 0)
        {
            var hungry = 0;
            for (var i = 0; i < pools.Length; i++)
                hungry += allotted[i] < Wanted(pools[i], perNode) ? 1 : 0;
            open = hungry > 0;
            var each = open ? Math.Max(1, left / hungry) : 0;
            for (var i = 0; i < pools.Length && left > 0; i++)
            {
                var more = Math.Min(Math.Min(each, left), Wanted(pools[i], perNode) - allotted[i]);
                if (more <= 0)
                    continue;
                allotted[i] += more;
                left -= more;
            }
        }
    }

    private static int Wanted(in PoolDemand pool, int perNode) => (int)Math.Min(perNode, (long)pool.Queued + pool.Busy);
}
