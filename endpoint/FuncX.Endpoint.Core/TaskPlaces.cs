using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>
/// Where each task is, and its ways from one place to the next: into the queue that suits it, to a manager, back, and out with an end. A task is in one place at a time, and ends once.
/// Benchmark: CoreBenchmarks.
/// </summary>
internal sealed class TaskPlaces
{
    private readonly CoreSettings _settings;
    private readonly TaskTable _tasks;
    private readonly ManagerTable _managers;
    private readonly Dictionary<TaskId, int> _adopted = [];

    public TaskPlaces(CoreSettings settings, TaskTable tasks, ManagerTable managers, Requirements requirements)
    {
        _settings = settings;
        _tasks = tasks;
        _managers = managers;
        Queues = new OwnerQueues(tasks);
        Demanding = new DemandingTasks(tasks, managers, requirements);
        Lasting = new LastingTasks(tasks, managers, requirements);
        Alone = new LoneTasks(tasks, managers, requirements, Demanding, Lasting);
    }

    public OwnerQueues Queues { get; }

    public DemandingTasks Demanding { get; }

    public LastingTasks Lasting { get; }

    public LoneTasks Alone { get; }

    /// <summary>Tasks here that no manager has.</summary>
    public int Waiting => Queues.Count + Demanding.Count + Lasting.Count + Alone.Count;

    /// <summary>Their bytes.</summary>
    public long WaitingBytes => Queues.Bytes + Demanding.Bytes + Lasting.Bytes;

    /// <summary>Tasks with a deadline.</summary>
    public int WithDeadline { get; private set; }

    /// <summary>Whether a task has come that requires something of its node.</summary>
    public bool IsDemanded { get; private set; }

    private static bool IsWaiting(TaskPlace place) => place is not (TaskPlace.Nowhere or TaskPlace.AtManager);

    /// <summary>The ticket of an attempt, by what a manager says of it.</summary>
    public bool TryResolve(uint ticket, in TaskId task, ushort attempt, out int found)
    {
        found = (int)ticket;
        if (ticket < (uint)_tasks.Used && _tasks[found].Place != TaskPlace.Nowhere && _tasks[found].Task == task && _tasks[found].Attempt == attempt)
            return true;
        // Of an adopted task the ticket is the last process's: here it may be another task's, or this one's in a newer attempt.
        return _adopted.Count > 0 && _adopted.TryGetValue(task, out found) && _tasks[found].Attempt == attempt;
    }

    /// <summary>A task that waits from now on; gives its ticket.</summary>
    public int Add(in TaskArrival arrival, long now)
    {
        var ticket = _tasks.Take();
        ref var slot = ref _tasks[ticket];
        slot.Task = arrival.Task;
        slot.Attempt = arrival.Attempt;
        slot.Priority = arrival.Priority;
        slot.Alone = arrival.Alone;
        slot.Epoch = arrival.Epoch;
        slot.ServiceTicket = arrival.ServiceTicket;
        slot.Function = arrival.Function;
        slot.Owner = arrival.Owner;
        slot.Bytes = arrival.Bytes;
        slot.Requirement = arrival.Requirement;
        IsDemanded |= arrival.Requirement != 0;
        slot.Deadline = arrival.Deadline;
        slot.Walltime = arrival.Walltime;
        slot.Received = now;
        slot.Sent = 0;
        slot.Manager = -1;
        slot.Cancelled = false;
        slot.Adopted = false;
        if (arrival.Deadline != 0)
            WithDeadline++;
        Enqueue(ticket, first: false);
        return ticket;
    }

    /// <summary>A task that a manager holds from before this process, unless another attempt of it was found first.</summary>
    public void Adopt(int manager, in InventoryEntry entry, long now)
    {
        if (_adopted.ContainsKey(entry.Task))
            return;
        var ticket = Add(new TaskArrival { Task = entry.Task, Attempt = entry.Attempt }, now);
        TakeOut(ticket);
        ref var slot = ref _tasks[ticket];
        slot.Adopted = true;
        slot.Place = TaskPlace.AtManager;
        slot.Manager = manager;
        _adopted.Add(entry.Task, ticket);
        _managers[manager].Tasks.AddLast(_tasks, ticket);
        _managers.OnTasksChanged(manager, 1);
    }

    /// <summary>A task that has not begun waits again, before those that came later.</summary>
    public void Requeue(int ticket)
    {
        TakeOut(ticket);
        _tasks[ticket].Manager = -1;
        _tasks[ticket].Sent = 0;
        Enqueue(ticket, first: true);
    }

    /// <summary>Sends a task that is in no list; <see cref="ManagerTable.OnTasksChanged"/> is the caller's, who may send several.</summary>
    public void Send(int manager, int ticket, long now, IEndpointEffects effects)
    {
        ref var record = ref _managers[manager];
        ref var slot = ref _tasks[ticket];
        if (record.Tasks.Count == 0)
            record.LastProgress = now;
        slot.Place = TaskPlace.AtManager;
        slot.Manager = manager;
        slot.Sent = now;
        record.Bytes += slot.Bytes;
        if (slot.Alone)
            record.Alone++;
        record.Tasks.AddLast(_tasks, ticket);
        effects.SendTask(manager, ticket, slot.Function, slot.Owner);
    }

    /// <summary>The task has its result.</summary>
    public void Remove(int ticket, IEndpointEffects effects)
    {
        TakeOut(ticket);
        Release(ticket, effects);
    }

    /// <summary>The task ends here, without a result.</summary>
    /// <param name="cutOff">Whether it was lost because its block's time was over.</param>
    /// <param name="suspended">Whether it was lost because its block stands still.</param>
    public void End(int ticket, TaskOutcome outcome, IEndpointEffects effects, bool cutOff = false, bool suspended = false)
    {
        var ended = Describe(ticket, outcome) with { CutOff = (cutOff || suspended) && outcome == TaskOutcome.AttemptLost, Suspended = suspended };
        TakeOut(ticket);
        effects.EndTask(ended);
        Release(ticket, effects);
    }

    /// <summary>Ends a task that is in no list.</summary>
    public void EndTaken(int ticket, TaskOutcome outcome, IEndpointEffects effects)
    {
        effects.EndTask(Describe(ticket, outcome));
        Release(ticket, effects);
    }

    /// <summary>The task has not begun, and goes back to the service.</summary>
    public void GiveBack(int ticket, IEndpointEffects effects)
    {
        var ended = Describe(ticket, TaskOutcome.None);
        TakeOut(ticket);
        effects.GiveBackTask(ended);
        Release(ticket, effects);
    }

    public void GiveBackWaiting(IEndpointEffects effects)
    {
        for (var ticket = 0; ticket < _tasks.Used; ticket++)
        {
            if (IsWaiting(_tasks[ticket].Place))
                GiveBack(ticket, effects);
        }
    }

    /// <summary>Ends those that wait and whose deadline has passed.</summary>
    public void ExpireWaiting(long now, IEndpointEffects effects)
    {
        for (var ticket = 0; ticket < _tasks.Used; ticket++)
        {
            ref var slot = ref _tasks[ticket];
            if (IsWaiting(slot.Place) && slot.Deadline != 0 && slot.Deadline < now)
                End(ticket, TaskOutcome.Expired, effects);
        }
    }

    private void Enqueue(int ticket, bool first)
    {
        ref var slot = ref _tasks[ticket];
        // What lasts longer than any block ends with the turn.
        if (slot.Walltime != 0 && slot.Walltime * 1000L > _settings.LongestTask)
            Lasting.Add(ticket, first);
        else if (slot.Alone)
            Alone.Add(ticket, first);
        else if (slot.Requirement == 0)
            Queues.Add(ticket, first);
        else
            Demanding.Add(ticket, first);
    }

    // Out of whichever list it is in; it is nowhere until it is put somewhere or released.
    private void TakeOut(int ticket)
    {
        ref var slot = ref _tasks[ticket];
        switch (slot.Place)
        {
            case TaskPlace.Queued:
                Queues.Remove(ticket);
                break;
            case TaskPlace.QueuedAlone:
                Alone.Remove(ticket);
                break;
            case TaskPlace.QueuedDemanding:
                Demanding.Remove(ticket);
                break;
            case TaskPlace.QueuedLasting:
                Lasting.Remove(ticket);
                break;
            case TaskPlace.AtManager:
                ref var record = ref _managers[slot.Manager];
                record.Tasks.Remove(_tasks, ticket);
                record.Bytes -= slot.Bytes;
                if (slot.Alone)
                    record.Alone--;
                _managers.OnTasksChanged(slot.Manager, -1);
                break;
        }

        slot.Place = TaskPlace.Nowhere;
    }

    private void Release(int ticket, IEndpointEffects effects)
    {
        ref var slot = ref _tasks[ticket];
        if (slot.Deadline != 0)
            WithDeadline--;
        if (slot.Adopted)
            _adopted.Remove(slot.Task);
        _tasks.Release(ticket);
        effects.Forget(ticket);
    }

    private EndedTask Describe(int ticket, TaskOutcome outcome)
    {
        ref var slot = ref _tasks[ticket];
        return new EndedTask(ticket, slot.Task, slot.Attempt, slot.Epoch, slot.ServiceTicket, outcome, slot.Manager, slot.Received, slot.Sent, slot.Requirement,
            outcome == TaskOutcome.Rejected && slot.Place == TaskPlace.QueuedLasting ? slot.Walltime : 0);
    }
}
