using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>
/// Tasks that were lost twice and may be what kills managers: each runs where nothing else can be hurt, one at a time. The manager that is to have the next one is reserved: it gets nothing
/// else until it is empty and has had it.
/// </summary>
internal sealed class LoneTasks(TaskTable tasks, ManagerTable managers, Requirements requirements, DemandingTasks demanding, LastingTasks lasting)
{
    private const int None = -1;

    private TaskList _list = TaskList.Empty;
    private int _reserved = None;
    private bool _isTooLong;

    public int Count => _list.Count;

    /// <summary>Of those, the ones that wait for a manager which lasts longer than those there are: the next one, or none. The others wait for it.</summary>
    public int WaitingForTime => _isTooLong && _list.Count > 0 ? 1 : 0;

    /// <summary>Nothing waits and no manager is kept from other work.</summary>
    public bool IsIdle => _list.Count == 0 && _reserved == None;

    public void Add(int ticket, bool first)
    {
        tasks[ticket].Place = TaskPlace.QueuedAlone;
        if (first)
            _list.AddFirst(tasks, ticket);
        else
            _list.AddLast(tasks, ticket);
    }

    public void Remove(int ticket) => _list.Remove(tasks, ticket);

    /// <summary>The manager can have none now: it is gone, or comes anew.</summary>
    public void Forget(int manager)
    {
        if (_reserved == manager)
            Release();
    }

    /// <summary>Sends the next one when its manager is empty, and reserves one for it before that.</summary>
    /// <param name="now">The time.</param>
    /// <param name="areAllHere">False while a manager that may have what is required is missing.</param>
    /// <param name="send">Ticket and manager; the task is in no list any more.</param>
    /// <param name="end">Ticket and outcome; the task is still in its list.</param>
    public void Dispatch(long now, bool areAllHere, Action<int, int> send, Action<int, TaskOutcome> end)
    {
        while (_list.Count > 0 && tasks[_list.Head].Requirement is var asked && asked != 0 && demanding.Judge(asked, areAllHere) == Suitable.None)
            end(_list.Head, TaskOutcome.Rejected);
        if (_reserved != None && (managers[_reserved].State != ManagerState.Ready || (_list.Count > 0 && !Suits(_reserved, _list.Head, now))))
            Release();
        var isReserved = _reserved != None || TryReserve(now);
        _isTooLong = !isReserved && _list.Count > 0 && lasting.IsTooLong(tasks[_list.Head].Requirement, tasks[_list.Head].Walltime, now);
        if (!isReserved)
            return;
        if (managers[_reserved].InFlight > 0 || managers[_reserved].Blocked)
            return;
        while (_list.Count > 0)
        {
            var ticket = _list.Head;
            if (tasks[ticket].Deadline != 0 && tasks[ticket].Deadline < now)
            {
                end(ticket, TaskOutcome.Expired);
                continue;
            }

            if (!Suits(_reserved, ticket, now))
                break;
            _list.Remove(tasks, ticket);
            send(ticket, _reserved);
            return;
        }

        Release();
    }

    private bool Suits(int manager, int ticket, long now) =>
        requirements.IsMet(tasks[ticket].Requirement, managers[manager].Runtimes) && managers[manager].Lasts(tasks[ticket].Walltime, now);

    private bool TryReserve(long now)
    {
        if (_list.Count == 0)
            return false;
        ref var first = ref tasks[_list.Head];
        var manager = first.Walltime != 0 ? lasting.Find(first.Requirement, first.Walltime, now)
            : first.Requirement != 0 ? demanding.Find(first.Requirement)
            : managers.Next(1, now, out _);
        if (manager < 0)
            return false;
        _reserved = manager;
        managers[manager].Reserved = true;
        managers.Rejoin(manager);
        return true;
    }

    private void Release()
    {
        var manager = _reserved;
        _reserved = None;
        managers[manager].Reserved = false;
        managers.Rejoin(manager);
    }
}
