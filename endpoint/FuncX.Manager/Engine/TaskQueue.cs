namespace FuncX.Manager.Engine;

/// <summary>One owner's tasks that wait for a worker, by priority, linked through the table. Taking and removing allocate nothing.</summary>
internal sealed class TaskQueue(TaskTable table)
{
    private Level[] _levels = [];

    private struct Level
    {
        public byte Priority;
        public int Head;
        public int Tail;
    }

    public int Count { get; private set; }

    /// <summary>The slot that is next, or -1.</summary>
    public int First
    {
        get
        {
            foreach (ref var level in _levels.AsSpan())
            {
                if (level.Head >= 0)
                    return level.Head;
            }

            return -1;
        }
    }

    /// <summary>The slot that would be last, or -1.</summary>
    public int Last
    {
        get
        {
            for (var i = _levels.Length - 1; i >= 0; i--)
            {
                if (_levels[i].Tail >= 0)
                    return _levels[i].Tail;
            }

            return -1;
        }
    }

    public void AddLast(int slot)
    {
        ref var record = ref table[slot];
        ref var level = ref LevelOf(record.Priority);
        record.Next = -1;
        record.Previous = level.Tail;
        if (level.Tail >= 0)
            table[level.Tail].Next = slot;
        else
            level.Head = slot;
        level.Tail = slot;
        record.Place = TaskPlace.Queued;
        Count++;
    }

    /// <summary>Back to the front: it has waited before.</summary>
    public void AddFirst(int slot)
    {
        ref var record = ref table[slot];
        ref var level = ref LevelOf(record.Priority);
        record.Previous = -1;
        record.Next = level.Head;
        if (level.Head >= 0)
            table[level.Head].Previous = slot;
        else
            level.Tail = slot;
        level.Head = slot;
        record.Place = TaskPlace.Queued;
        Count++;
    }

    public void Remove(int slot)
    {
        ref var record = ref table[slot];
        ref var level = ref LevelOf(record.Priority);
        if (record.Previous >= 0)
            table[record.Previous].Next = record.Next;
        else
            level.Head = record.Next;
        if (record.Next >= 0)
            table[record.Next].Previous = record.Previous;
        else
            level.Tail = record.Previous;
        Count--;
    }

    private ref Level LevelOf(byte priority)
    {
        for (var i = 0; i < _levels.Length; i++)
        {
            if (_levels[i].Priority == priority)
                return ref _levels[i];
        }

        var at = 0;
        while (at < _levels.Length && _levels[at].Priority > priority)
            at++;
        var levels = new Level[_levels.Length + 1];
        Array.Copy(_levels, levels, at);
        Array.Copy(_levels, at, levels, at + 1, _levels.Length - at);
        levels[at] = new Level { Priority = priority, Head = -1, Tail = -1 };
        _levels = levels;
        return ref _levels[at];
    }
}
