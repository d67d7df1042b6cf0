namespace FuncX.Endpoint.Core;

/// <summary>
/// Tasks that wait, one queue per owner and priority. Owners take turns, one task each; within an owner the higher priority goes first, and
/// among equals the older. Benchmark: CoreBenchmarks.
/// </summary>
internal sealed class OwnerQueues(TaskTable tasks)
{
    private struct Level
    {
        public byte Priority;
        public TaskList Tasks;
    }

    private struct OwnerQueue
    {
        public Level[] Levels;
        public int LevelCount;
        public int Count;
        public int Next;
        public int Previous;
    }

    private OwnerQueue[] _owners = [];
    private int _turn = TaskTable.None;

    /// <summary>Tasks in all queues.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of the tasks in all queues.</summary>
    public long Bytes { get; private set; }

    public void Add(int ticket, bool first)
    {
        ref var slot = ref tasks[ticket];
        slot.Place = TaskPlace.Queued;
        if (slot.Owner >= _owners.Length)
            Grow(slot.Owner + 1);
        ref var owner = ref _owners[slot.Owner];
        ref var level = ref LevelOf(ref owner, slot.Priority);
        if (first)
            level.Tasks.AddFirst(tasks, ticket);
        else
            level.Tasks.AddLast(tasks, ticket);
        Count++;
        Bytes += slot.Bytes;
        if (owner.Count++ == 0)
            JoinTurns(slot.Owner);
    }

    /// <summary>Takes the next task by turn; the queues are not empty.</summary>
    public int Take()
    {
        var number = _turn;
        ref var owner = ref _owners[number];
        _turn = owner.Next;
        for (var i = 0; ; i++)
        {
            var ticket = owner.Levels[i].Tasks.Head;
            if (ticket == TaskTable.None)
                continue;
            Remove(ticket);
            return ticket;
        }
    }

    public void Remove(int ticket)
    {
        ref var slot = ref tasks[ticket];
        ref var owner = ref _owners[slot.Owner];
        LevelOf(ref owner, slot.Priority).Tasks.Remove(tasks, ticket);
        Count--;
        Bytes -= slot.Bytes;
        if (--owner.Count == 0)
            LeaveTurns(slot.Owner);
    }

    private static ref Level LevelOf(ref OwnerQueue owner, byte priority)
    {
        var i = 0;
        while (i < owner.LevelCount && owner.Levels[i].Priority > priority)
            i++;
        if (i < owner.LevelCount && owner.Levels[i].Priority == priority)
            return ref owner.Levels[i];
        if (owner.LevelCount == owner.Levels.Length)
            Array.Resize(ref owner.Levels, owner.Levels.Length * 2);
        Array.Copy(owner.Levels, i, owner.Levels, i + 1, owner.LevelCount - i);
        owner.LevelCount++;
        owner.Levels[i] = new Level { Priority = priority, Tasks = TaskList.Empty };
        return ref owner.Levels[i];
    }

    private void Grow(int count)
    {
        var before = _owners.Length;
        Array.Resize(ref _owners, Math.Max(count, before * 2));
        for (var i = before; i < _owners.Length; i++)
            _owners[i].Levels = new Level[1];
    }

    private void JoinTurns(int number)
    {
        ref var owner = ref _owners[number];
        if (_turn == TaskTable.None)
        {
            _turn = owner.Next = owner.Previous = number;
            return;
        }

        // Behind everybody who waits: just before the owner whose turn it is.
        ref var current = ref _owners[_turn];
        owner.Next = _turn;
        owner.Previous = current.Previous;
        _owners[current.Previous].Next = number;
        current.Previous = number;
    }

    private void LeaveTurns(int number)
    {
        ref var owner = ref _owners[number];
        if (owner.Next == number)
        {
            _turn = TaskTable.None;
            return;
        }

        _owners[owner.Previous].Next = owner.Next;
        _owners[owner.Next].Previous = owner.Previous;
        if (_turn == number)
            _turn = owner.Next;
    }
}
