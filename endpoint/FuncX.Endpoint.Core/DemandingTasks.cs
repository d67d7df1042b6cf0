namespace FuncX.Endpoint.Core;

/// <summary>Which managers can run what has a requirement.</summary>
internal enum Suitable : byte
{
    /// <summary>Too early to say: no manager is ready, or those that are have not said what they have.</summary>
    Unknown,

    /// <summary>All.</summary>
    All,

    /// <summary>Some.</summary>
    Some,

    /// <summary>None, and all have said what they have.</summary>
    None,
}

/// <summary>
/// Tasks that wait and ask something of the node that runs them, one list per requirement. They leave it for their owner's queue as soon as every manager will do, which
/// is nearly always: the nodes of one machine are alike.
/// </summary>
internal sealed class DemandingTasks(TaskTable tasks, ManagerTable managers, Requirements requirements)
{
    private TaskList[] _lists = [];

    public int Count { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>Bound of the requirements that tasks here may have.</summary>
    public int Used => _lists.Length;

    /// <summary>The first task of a requirement, or none.</summary>
    public int HeadOf(int requirement) => _lists[requirement].Head;

    public void Add(int ticket, bool first)
    {
        ref var slot = ref tasks[ticket];
        slot.Place = TaskPlace.QueuedDemanding;
        for (var number = _lists.Length; number <= slot.Requirement; number++)
            _lists = [.. _lists, TaskList.Empty];
        if (first)
            _lists[slot.Requirement].AddFirst(tasks, ticket);
        else
            _lists[slot.Requirement].AddLast(tasks, ticket);
        Count++;
        Bytes += slot.Bytes;
    }

    public void Remove(int ticket)
    {
        ref var slot = ref tasks[ticket];
        _lists[slot.Requirement].Remove(tasks, ticket);
        Count--;
        Bytes -= slot.Bytes;
    }

    /// <param name="requirement">What is asked.</param>
    /// <param name="areAllHere">False while a manager that may have it is missing: then none of the others having it says nothing yet.</param>
    public Suitable Judge(int requirement, bool areAllHere)
    {
        if (managers.ReadyCount == 0)
            return Suitable.Unknown;
        var (met, unmet) = (0, 0);
        for (var runtimes = 1; runtimes < managers.ReadyByRuntimes.Count; runtimes++)
        {
            if (requirements.IsMet(requirement, runtimes))
                met += managers.ReadyByRuntimes[runtimes];
            else
                unmet += managers.ReadyByRuntimes[runtimes];
        }

        var unknown = managers.ReadyCount - met - unmet;
        if (met > 0)
            return unmet + unknown > 0 ? Suitable.Some : Suitable.All;
        return unknown > 0 || !areAllHere ? Suitable.Unknown : Suitable.None;
    }

    /// <summary>A manager with room that meets the requirement, free workers first; -1: none. Looks at each: only where nodes differ.</summary>
    public int Find(int requirement)
    {
        var found = -1;
        for (var manager = 0; manager < managers.Used; manager++)
        {
            ref var record = ref managers[manager];
            if (record.Room == ManagerRoom.None || !requirements.IsMet(requirement, record.Runtimes))
                continue;
            if (record.Room == ManagerRoom.FreeWorker)
                return manager;
            found = manager;
        }

        return found;
    }
}
