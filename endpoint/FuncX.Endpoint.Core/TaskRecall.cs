namespace FuncX.Endpoint.Core;

/// <summary>Tasks that were sent ahead are asked back when workers elsewhere have nothing to do: from managers that need long for them, or stand still.</summary>
internal sealed class TaskRecall(ManagerTable managers)
{
    private const long Tick = 5_000;
    private const long Pause = 20_000;
    private const long WorthIt = 20_000;
    private const int Scan = 256;

    private int _cursor;

    /// <summary>When to look, <see cref="long.MaxValue"/>: there is no reason to.</summary>
    public long Next { get; private set; } = long.MaxValue;

    /// <summary>Nothing waits here: from now on it may be worth asking back what waits elsewhere.</summary>
    public void Watch(long now)
    {
        if (Next == long.MaxValue && managers.Surplus > 0 && managers.FreeWorkers > 0)
            Next = now + Tick;
    }

    /// <summary>Asks some managers, when it is time.</summary>
    public void Look(bool anyWait, long now, IEndpointEffects effects)
    {
        Next = long.MaxValue;
        var free = managers.FreeWorkers;
        if (anyWait || free == 0 || managers.Surplus == 0)
            return;
        for (var looked = 0; looked < Math.Min(Scan, managers.Used) && free > 0; looked++)
        {
            _cursor = (_cursor + 1) % managers.Used;
            ref var record = ref managers[_cursor];
            if (record.State != ManagerState.Ready || record.Surplus == 0 || now - record.LastRecall < Pause)
                continue;
            var left = record.Surplus * record.Duration.Microseconds / record.Workers;
            if (left < WorthIt && !record.StandsStill(now) && now - record.LastProgress < Tick)
                continue;
            // As many as a free worker does until this manager's next turn: one for each would leave short ones waiting behind a long one for many turns.
            var each = record.Duration.Microseconds == 0 ? 1 : 1 + (Pause / record.Duration.Microseconds);
            var count = (int)Math.Min(record.Surplus, free * each);
            free -= (int)((count + each - 1) / each);
            record.LastRecall = now;
            effects.RecallTasks(_cursor, count);
        }

        Next = now + Tick;
    }
}
