namespace FuncX.Service.Tasks;

/// <summary>The queued tasks of one owner for one endpoint: higher priority first, then in the order they came.</summary>
public sealed class OwnerQueue
{
    private readonly SortedList<int, LinkedList<Run>> _byPriority = [];

    public bool IsEmpty => _byPriority.Count == 0;

    public void Append(Run run) => At(run.Batch.Priority).AddLast(run);

    public void Prepend(Run run) => At(run.Batch.Priority).AddFirst(run);

    /// <summary>The run whose turn it is, cut down to what is still queued.</summary>
    public bool TryPeek(out Run run)
    {
        while (_byPriority.Count > 0)
        {
            var list = _byPriority.Values[0];
            while (list.First is { } node)
            {
                run = node.Value;
                var from = run.From;
                var slots = run.Batch.Slots;
                while (from < run.To && from < slots.Length && !slots[from].IsWaiting)
                    from++;
                if (from < run.To && from < slots.Length)
                {
                    run = run with { From = from };
                    node.ValueRef = run;
                    return true;
                }

                list.RemoveFirst();
            }

            _byPriority.RemoveAt(0);
        }

        run = default;
        return false;
    }

    private LinkedList<Run> At(byte priority)
    {
        if (!_byPriority.TryGetValue(-priority, out var list))
            _byPriority.Add(-priority, list = new LinkedList<Run>());
        return list;
    }
}
