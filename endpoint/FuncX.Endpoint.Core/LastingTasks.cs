namespace FuncX.Endpoint.Core;

/// <summary>
/// Tasks that wait for a manager which lasts longer than those they met: their walltime is longer than what was left there. They are looked at now and then, with a bound on what a
/// look may cost, and not in every turn: most tasks fit nearly always.
/// </summary>
internal sealed class LastingTasks(TaskTable tasks, ManagerTable managers, Requirements requirements)
{
    private const long SoonAgain = 5_000;
    private const long LaterAgain = 100_000;

    // Of one look: tasks that found none, and managers that were looked at.
    private const int MostMissed = 64;
    private const int MostPassed = 4_096;
    private const int MostLooks = 1 << 17;

    private TaskList _list = TaskList.Empty;
    private int _cursor;
    private int _looks;

    public int Count => _list.Count;

    public long Bytes { get; private set; }

    /// <summary>When to look again; <see cref="long.MaxValue"/> while there is none.</summary>
    public long Next { get; private set; } = long.MaxValue;

    public void Add(int ticket, bool first)
    {
        tasks[ticket].Place = TaskPlace.QueuedLasting;
        if (first)
            _list.AddFirst(tasks, ticket);
        else
            _list.AddLast(tasks, ticket);
        Bytes += tasks[ticket].Bytes;
        // Those that wait already have been looked at, and will be again soon.
        if (Next == long.MaxValue)
            Next = 0;
    }

    public void Remove(int ticket)
    {
        _list.Remove(tasks, ticket);
        Bytes -= tasks[ticket].Bytes;
        if (_list.Count == 0)
            Next = long.MaxValue;
    }

    /// <summary>A manager has come: it is worth looking at once.</summary>
    public void OnManager()
    {
        if (Count > 0)
            Next = 0;
    }

    /// <summary>Goes through the list. What <paramref name="send"/> and <paramref name="end"/> are given is still in it.</summary>
    /// <param name="now">The time.</param>
    /// <param name="longest">What lasts longer than this never fits.</param>
    /// <param name="send">Ticket and manager.</param>
    /// <param name="end">Ticket of a task whose deadline has passed, or that never fits.</param>
    public void Look(long now, long longest, Action<int, int> send, Action<int> end)
    {
        var (passed, missed, sent, shortest) = (0, 0, 0, uint.MaxValue);
        _looks = 0;
        for (var ticket = _list.Head; ticket != TaskTable.None && passed++ < MostPassed && missed < MostMissed && _looks < MostLooks;)
        {
            ref var slot = ref tasks[ticket];
            var next = slot.Next;
            if ((slot.Deadline != 0 && slot.Deadline < now) || slot.Walltime * 1000L > longest)
            {
                end(ticket);
            }
            else if (slot.Walltime >= shortest)
            {
                // Longer than one for which there was none.
            }
            else if (Find(slot.Requirement, slot.Walltime, now) is var manager && manager >= 0)
            {
                send(ticket, manager);
                sent++;
            }
            else
            {
                missed++;
                if (slot.Requirement == 0)
                    shortest = Math.Min(shortest, slot.Walltime);
            }

            ticket = next;
        }

        Next = Count == 0 ? long.MaxValue : now + (sent > 0 ? SoonAgain : LaterAgain);
    }

    /// <summary>Whether managers that are ready meet the requirement, and none of them lasts, with or without room.</summary>
    public bool IsTooLong(int requirement, uint walltime, long now)
    {
        var meets = false;
        for (var manager = 0; walltime != 0 && manager < managers.Used; manager++)
        {
            ref var record = ref managers[manager];
            if (record.State != ManagerState.Ready || !requirements.IsMet(requirement, record.Runtimes))
                continue;
            if (record.Lasts(walltime, now))
                return false;
            meets = true;
        }

        return meets;
    }

    /// <summary>A manager with room that meets the requirement and lasts, free workers first; -1: none.</summary>
    public int Find(int requirement, uint walltime, long now)
    {
        var found = -1;
        for (var looked = 0; looked < managers.Used; looked++)
        {
            _cursor = _cursor + 1 >= managers.Used ? 0 : _cursor + 1;
            _looks++;
            ref var record = ref managers[_cursor];
            if (record.Room == ManagerRoom.None || !record.Lasts(walltime, now) || !requirements.IsMet(requirement, record.Runtimes))
                continue;
            found = _cursor;
            if (record.Room == ManagerRoom.FreeWorker)
                break;
        }

        return found;
    }
}
