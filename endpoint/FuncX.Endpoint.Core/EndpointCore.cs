using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>
/// Every decision of an endpoint: which task goes to which manager and when, how far ahead, what a lost manager's tasks become, how many blocks there are.
/// Plain state and plain methods: no thread, socket, clock or logger. One thread at a time calls it, in turns: any number of <c>On</c> methods, then one
/// <see cref="Dispatch"/>. Times are Unix microseconds that never go back. Decisions allocate nothing, and their cost does not grow with the number of managers.
/// Benchmark: CoreBenchmarks (<see cref="OnTask"/>, <see cref="Dispatch"/>, <see cref="OnResult"/>).
/// </summary>
public sealed class EndpointCore
{
    private const long SlowTick = 1_000_000;

    private readonly CoreSettings _settings;
    private readonly TaskTable _tasks = new();
    private readonly OwnerQueues _queues;
    private readonly ManagerTable _managers;
    private readonly DemandingTasks _demanding;
    private readonly LastingTasks _lasting;
    private readonly LoneTasks _alone;
    private readonly TaskRecall _recall;
    private readonly BlockPlan _blocks;
    private readonly Dictionary<TaskId, int> _adopted = [];
    private long _lastArrival = long.MinValue / 2;
    private long _lastLoss = long.MinValue / 2;
    private bool _isDemanded;
    private bool _asksRuntimes;
    private int _withDeadline;
    private long _nextSlowTick;

    public EndpointCore(CoreSettings settings)
    {
        _settings = settings;
        _queues = new OwnerQueues(_tasks);
        _managers = new ManagerTable(settings);
        _demanding = new DemandingTasks(_tasks, _managers, Requirements);
        _lasting = new LastingTasks(_tasks, _managers, Requirements);
        _alone = new LoneTasks(_tasks, _managers, Requirements, _demanding, _lasting);
        _recall = new TaskRecall(_managers);
        _blocks = new BlockPlan(settings);
    }

    /// <summary>What functions require and managers have, under the numbers that the core is told.</summary>
    public Requirements Requirements { get; } = new();

    /// <summary>No task is sent while this is true: results cannot be kept safe.</summary>
    public bool Paused { get; set; }

    /// <summary>True after <see cref="OnStop"/> and <see cref="OnDrain"/>: nothing is begun any more.</summary>
    public bool Stopping => _blocks.Stopping;

    /// <summary>True between <see cref="OnDrain"/> and <see cref="OnStop"/>: what runs has the time it needs.</summary>
    public bool Draining { get; private set; }

    /// <summary>Tasks here that no manager has.</summary>
    public int Queued => _queues.Count + _demanding.Count + _lasting.Count + _alone.Count;

    /// <summary>Their bytes.</summary>
    public long QueuedBytes => _queues.Bytes + _demanding.Bytes + _lasting.Bytes;

    /// <summary>Tasks at managers.</summary>
    public int Running => _tasks.Count - Queued;

    /// <summary>Tasks that had a result from a manager.</summary>
    public long Completed { get; private set; }

    /// <summary>Tasks that connected managers hold at most.</summary>
    public int Capacity => _managers.Capacity;

    public int ManagersReady => _managers.ReadyCount;

    public int Managers => _managers.Count;

    public int Workers => _managers.Workers;

    public int WorkersBusy => _managers.Workers - _managers.FreeWorkers;

    public int BlocksRequested => _blocks.Requested;

    /// <summary>Blocks that run, those that only finish what they have among them.</summary>
    public int BlocksRunning => _blocks.Running + _blocks.Draining;

    /// <summary>Of those, the ones that take no more tasks.</summary>
    public int BlocksDraining => _blocks.Draining;

    /// <summary>So many blocks were ordered whatever the demand; null: they follow it.</summary>
    public int? BlocksFixed => _blocks.Fixed;

    /// <summary>Tasks whose walltime is longer than what is left of the blocks that run.</summary>
    public int WaitingForTime => _lasting.Count + _alone.WaitingForTime;

    /// <summary>When <see cref="OnTick"/> wants to be called next.</summary>
    public long NextTick => Math.Min(Math.Min(_nextSlowTick, _recall.Next), Paused || Stopping ? long.MaxValue : _lasting.Next);

    /// <summary>Why nothing runs, when tasks wait and nothing does; empty otherwise.</summary>
    public string Note
    {
        get
        {
            if (Draining)
                return $"draining: {Running} tasks still run; it takes no others and stops after them";
            if (Stopping)
                return "stopping";
            var waiting = WaitingForTime > 0 ? $"{WaitingForTime} tasks wait for a block that lasts as long as their walltime" : "";
            if (_managers.ReadyCount > 0)
                return waiting.Length > 0 && _blocks.LastFailure.Length > 0 ? $"{waiting}; no block: {_blocks.LastFailure}" : waiting;
            if (_blocks.LastFailure.Length > 0)
                return $"no block: {_blocks.LastFailure}";
            if (_blocks.Fixed == 0 && Queued > 0)
                return "no block: none is wanted since `scale 0`; `scale auto` lets them follow the demand again";
            if (_blocks.Requested > 0)
                return $"no block yet: {_blocks.Requested} requested, waiting for the first manager";
            return _blocks.Running > 0 ? "no manager of a running block is connected" : "";
        }
    }

    /// <summary>Bound of the tickets in use; for walking with <see cref="TryDescribe"/>.</summary>
    public int TicketBound => _tasks.Used;

    /// <summary>What the service is told of a task after a reconnection; false when the ticket is free.</summary>
    public bool TryDescribe(int ticket, out InventoryEntry entry)
    {
        ref var slot = ref _tasks[ticket];
        entry = new InventoryEntry(slot.Task, slot.Attempt, slot.Place == TaskPlace.AtManager ? HeldState.Running : HeldState.Queued);
        return slot.Place != TaskPlace.Nowhere;
    }

    /// <summary>How many tasks are sent ahead per worker at the manager, for status.</summary>
    public int AheadOf(int manager) => _managers[manager].Ahead;

    /// <summary>Tasks that were sent to the manager and are not back, for status.</summary>
    public int InFlightAt(int manager) => _managers[manager].InFlight;

    // Tasks.

    /// <summary>A task came from the service. It is queued; <see cref="Dispatch"/> sends it.</summary>
    /// <returns>Its ticket, until <see cref="IEndpointEffects.Forget"/>.</returns>
    public int OnTask(in TaskArrival arrival, long now)
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
        _isDemanded |= arrival.Requirement != 0;
        slot.Deadline = arrival.Deadline;
        slot.Walltime = arrival.Walltime;
        slot.Received = now;
        slot.Sent = 0;
        slot.Manager = -1;
        slot.Cancelled = false;
        slot.Adopted = false;
        if (arrival.Deadline != 0)
            _withDeadline++;
        Enqueue(ticket, first: false);
        return ticket;
    }

    /// <summary>A manager sent the result of a task.</summary>
    /// <param name="manager">The manager it came from.</param>
    /// <param name="ticket">As in the frame.</param>
    /// <param name="task">As in the frame; verified against the ticket.</param>
    /// <param name="attempt">As in the frame.</param>
    /// <param name="microseconds">How long the worker took, negative when unknown.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Receives <see cref="IEndpointEffects.Forget"/>.</param>
    /// <param name="receipt">What to write into the result before it goes on.</param>
    /// <returns>False when the core does not know this attempt (it was counted as lost before): the result still goes to the service, which decides.</returns>
    public bool OnResult(int manager, uint ticket, in TaskId task, ushort attempt, long microseconds, long now, IEndpointEffects effects, out ResultReceipt receipt)
    {
        if (microseconds >= 0)
            _managers.Measure(manager, microseconds);
        _managers.OnProgress(manager, now);
        if (_managers[manager].Block is { Served: false } block)
            _blocks.OnServed(block);
        if (!TryResolve(ticket, task, attempt, out var found))
        {
            receipt = default;
            return false;
        }

        ref var slot = ref _tasks[found];
        receipt = new ResultReceipt(slot.Received, slot.Sent, slot.ServiceTicket);
        if (slot.Place == TaskPlace.AtManager && slot.Manager != manager)
            effects.CancelTask(slot.Manager, found, slot.Task);
        Completed++;
        Remove(found, effects);
        return true;
    }

    /// <summary>A manager gave a task back that has not started.</summary>
    public void OnReturned(int manager, uint ticket, in TaskId task, ushort attempt, IEndpointEffects effects)
    {
        if (!TryResolve(ticket, task, attempt, out var found) || _tasks[found].Place != TaskPlace.AtManager || _tasks[found].Manager != manager)
            return;
        if (_tasks[found].Cancelled)
            End(found, TaskOutcome.Cancelled, effects);
        else if (_tasks[found].Adopted || Stopping)
            GiveBack(found, effects);
        else
            Requeue(found);
    }

    /// <summary>The service cancels tasks. Those that wait end at once; those at a manager end when it says so.</summary>
    public void OnCancel(IReadOnlySet<TaskId> tasks, IEndpointEffects effects)
    {
        for (var ticket = 0; ticket < _tasks.Used; ticket++)
        {
            ref var slot = ref _tasks[ticket];
            if (slot.Place == TaskPlace.Nowhere || slot.Cancelled || !tasks.Contains(slot.Task))
                continue;
            if (slot.Place != TaskPlace.AtManager)
            {
                End(ticket, TaskOutcome.Cancelled, effects);
                continue;
            }

            slot.Cancelled = true;
            if (_managers[slot.Manager].State is ManagerState.Ready or ManagerState.Leaving)
                effects.CancelTask(slot.Manager, ticket, slot.Task);
        }
    }

    // Managers.

    /// <summary>The block of the manager that has this name; null when none has.</summary>
    public string? BlockOf(string name) => _managers.TryFind(name, out var manager) ? _managers[manager].Block.Id : null;

    /// <summary>A manager has connected and proven itself; <see cref="BlockOf"/> its name is null or this block. It gets tasks once its inventory is in.</summary>
    /// <param name="name">Its own.</param>
    /// <param name="block">Its block's.</param>
    /// <param name="now">The time.</param>
    /// <param name="endsAt">When it ends with its job; <see cref="long.MaxValue"/>: it does not know.</param>
    /// <returns>Its number: the same as before when it comes back.</returns>
    public int OnManagerConnected(string name, string block, long now, long endsAt = long.MaxValue)
    {
        _lastArrival = now;
        var plan = _blocks.Find(block);
        _blocks.OnManager(plan, now);
        if (!_managers.TryFind(name, out var manager))
        {
            manager = _managers.Add(name, plan, now);
            _managers[manager].EndsAt = endsAt;
            return manager;
        }

        _managers[manager].EndsAt = endsAt;
        _managers[manager].SaysLeaving = false;
        _alone.Forget(manager);
        _managers.SetState(manager, ManagerState.Opening);
        _managers[manager].LastHeard = now;
        return manager;
    }

    /// <summary>
    /// What a manager holds. Tasks that were sent and did not arrive are queued again (they cannot have started); tasks it holds from before a restart of the
    /// endpoint are adopted.
    /// </summary>
    public void OnInventory(int manager, ReadOnlySpan<InventoryEntry> entries, long now, IEndpointEffects effects)
    {
        // A manager may hold an older attempt of a task beside a newer one: it was adopted after the service had replaced it.
        var held = new Dictionary<(TaskId Task, ushort Attempt), InventoryEntry>(entries.Length);
        foreach (ref readonly var entry in entries)
            held[(entry.Task, entry.Attempt)] = entry;

        for (var ticket = _managers[manager].Tasks.Head; ticket != TaskTable.None;)
        {
            ref var slot = ref _tasks[ticket];
            var next = slot.Next;
            if (held.Remove((slot.Task, slot.Attempt)))
            {
                if (slot.Cancelled)
                    effects.CancelTask(manager, ticket, slot.Task);
            }
            else if (slot.Cancelled)
            {
                End(ticket, TaskOutcome.Cancelled, effects);
            }
            else if (slot.Adopted || Stopping)
            {
                GiveBack(ticket, effects);
            }
            else
            {
                Requeue(ticket);
            }

            ticket = next;
        }

        foreach (var entry in held.Values.OrderByDescending(static entry => entry.Attempt))
        {
            if (!_adopted.ContainsKey(entry.Task))
                Adopt(manager, entry, now);
        }

        _managers.OnProgress(manager, now);
        _blocks.OnReady(_managers[manager].Block);
        _managers.SetState(manager, Lives(_managers[manager].Block) ? ManagerState.Ready : ManagerState.Leaving);
        _lasting.OnManager();
        if (_asksRuntimes && _managers[manager].Runtimes == 0)
            effects.AskRuntimes(manager);
    }

    /// <summary>A manager has said which runtimes its node has; a number of <see cref="Requirements"/>.</summary>
    public void OnRuntimes(int manager, int runtimes) => _managers.SetRuntimes(manager, runtimes);

    /// <summary>A manager says that it takes no more tasks: it finishes what it has, and what it has not begun comes back.</summary>
    public void OnManagerLeaving(int manager)
    {
        _managers[manager].SaysLeaving = true;
        if (_managers[manager].State != ManagerState.Ready)
            return;
        _managers.SetState(manager, ManagerState.Leaving);
        _blocks.OnLeaving(_managers[manager].Block);
    }

    /// <summary>Something arrived from a manager.</summary>
    public void OnHeard(int manager, long now) => _managers[manager].LastHeard = now;

    /// <summary>A manager's connection takes no more for now, or takes again.</summary>
    public void OnManagerBlocked(int manager, bool blocked)
    {
        ref var record = ref _managers[manager];
        if (record.State == ManagerState.Unknown || record.Blocked == blocked)
            return;
        record.Blocked = blocked;
        _managers.Rejoin(manager);
    }

    /// <summary>A manager's connection is gone. Its tasks wait for it until the grace has passed, or its block has ended.</summary>
    public void OnManagerDisconnected(int manager, long now, IEndpointEffects effects)
    {
        ref var record = ref _managers[manager];
        if (record.State is ManagerState.Unknown or ManagerState.Away)
            return;
        record.AwaySince = _lastLoss = now;
        record.Blocked = false;
        _managers.SetState(manager, ManagerState.Away);
        _alone.Forget(manager);
        // One too many or near its end, a block has the tasks it has; only from one that is told to end nobody comes back.
        if (record.Tasks.Count == 0 || record.Block.Phase == BlockPhase.Ending)
            Lose(manager, now, cutOff: false, effects);
    }

    // Blocks.

    /// <summary>From now on there are so many blocks whatever the demand; null: they follow it. No more than the configuration's most.</summary>
    public void OnScale(int? blocks)
    {
        if (!_blocks.Fix(blocks))
            return;
        for (var manager = 0; manager < _managers.Used; manager++)
        {
            if (_managers[manager] is { State: ManagerState.Leaving, SaysLeaving: false } && Lives(_managers[manager].Block))
                _managers.SetState(manager, ManagerState.Ready);
        }
    }

    /// <summary>The provider says the block runs.</summary>
    public void OnBlockRunning(string block) => _blocks.OnRunning(_blocks.Find(block).Id);

    /// <summary>At start: an earlier process has left this block running.</summary>
    /// <param name="block">Its id.</param>
    /// <param name="managers">Those that it had.</param>
    /// <param name="until">Until when they may come back with what they hold; it does not count as idle before they have.</param>
    public void OnBlockSurvived(string block, int managers, long until) => _blocks.OnSurvived(block, managers, until);

    /// <summary>At start: an earlier process asked for this block and the provider has not started it yet.</summary>
    public void OnBlockWaiting(string block) => _blocks.OnWaiting(block);

    /// <summary>The provider says the block has ended, or never started.</summary>
    /// <param name="block">Its id.</param>
    /// <param name="reason">How it ended, for people.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Is told of the tasks it had.</param>
    /// <param name="cutOff">Its time was over: what it had is lost by no fault of its own.</param>
    public void OnBlockEnded(string block, string reason, long now, IEndpointEffects effects, bool cutOff = false)
    {
        if (_blocks.OnEnded(block, reason, now) is not { } ended)
            return;
        for (var manager = 0; manager < _managers.Used; manager++)
        {
            if (_managers[manager].State == ManagerState.Away && ReferenceEquals(_managers[manager].Block, ended))
                Lose(manager, now, cutOff, effects);
        }
    }

    // Turns.

    /// <summary>Sends waiting tasks to managers with room: free workers anywhere first, then ahead of busy ones. Once at the end of a turn.</summary>
    public void Dispatch(long now, IEndpointEffects effects)
    {
        if (Stopping && Queued > 0)
            GiveBackWaiting(effects);
        if (Paused || Stopping)
            return;
        if (_isDemanded && !_asksRuntimes)
            AskRuntimes(effects);
        if (!_alone.IsIdle)
            DispatchAlone(now, effects);
        if (_demanding.Count > 0)
            DispatchDemanding(now, effects);
        while (_queues.Count > 0)
        {
            var manager = _managers.Next(_queues.Count, now, out var share);
            if (manager < 0)
                break;
            var sent = 0;
            while (sent < share && _queues.Count > 0)
            {
                var ticket = _queues.Take();
                ref var slot = ref _tasks[ticket];
                if (slot.Deadline != 0 && slot.Deadline < now)
                {
                    EndTaken(ticket, TaskOutcome.Expired, effects);
                    continue;
                }

                if (!Requirements.IsMet(slot.Requirement, _managers[manager].Runtimes))
                {
                    // Another kind of node has come since all of them would do.
                    _demanding.Add(ticket, first: false);
                    continue;
                }

                if (!_managers[manager].Lasts(slot.Walltime, now))
                {
                    _lasting.Add(ticket, first: false);
                    continue;
                }

                Send(manager, ticket, now, effects);
                sent++;
                if (_managers[manager].Bytes >= _settings.BytesPerManager)
                    break;
            }

            _managers.OnTasksChanged(manager, sent);
        }

        if (_lasting.Next <= now)
            DispatchLasting(now, effects);
        if (Queued > 0)
            _blocks.Grow(_tasks.Count, WaitingForTime, now, effects);
        else
            _recall.Watch(now);
    }

    /// <summary>Time has passed: at <see cref="NextTick"/>, or when convenient after it.</summary>
    public void OnTick(long now, IEndpointEffects effects)
    {
        if (now >= _recall.Next)
            _recall.Look(_queues.Count > 0, now, effects);
        if (now < _nextSlowTick)
            return;
        _nextSlowTick = now + SlowTick;
        if (_withDeadline > 0)
            ExpireWaiting(now, effects);
        WatchManagers(now, effects);
        _blocks.Grow(_tasks.Count, WaitingForTime, now, effects);
        if (_blocks.Shrink(_tasks.Count, WaitingForTime, now, effects))
            RetireManagers();
    }

    /// <summary>The endpoint stops: what waits goes back to the service, what runs may finish, and nothing that is interrupted counts as a lost attempt.</summary>
    public void OnStop(IEndpointEffects effects)
    {
        Draining = false;
        _blocks.Stopping = true;
        GiveBackWaiting(effects);
    }

    /// <summary>The endpoint is to stop once what runs has ended; what waits goes back to the service.</summary>
    public void OnDrain(IEndpointEffects effects)
    {
        if (Stopping)
            return;
        OnStop(effects);
        Draining = true;
    }

    private void GiveBackWaiting(IEndpointEffects effects)
    {
        for (var ticket = 0; ticket < _tasks.Used; ticket++)
        {
            if (IsWaiting(_tasks[ticket].Place))
                GiveBack(ticket, effects);
        }
    }

    private static bool Lives(Block block) => block.Phase != BlockPhase.Ending && !block.Retiring;

    private static bool IsWaiting(TaskPlace place) => place is not (TaskPlace.Nowhere or TaskPlace.AtManager);

    private bool TryResolve(uint ticket, in TaskId task, ushort attempt, out int found)
    {
        found = (int)ticket;
        if (ticket < (uint)_tasks.Used && _tasks[found].Place != TaskPlace.Nowhere && _tasks[found].Task == task && _tasks[found].Attempt == attempt)
            return true;
        // Of an adopted task the ticket is the last process's: here it may be another task's, or this one's in a newer attempt.
        return _adopted.Count > 0 && _adopted.TryGetValue(task, out found) && _tasks[found].Attempt == attempt;
    }

    private void Enqueue(int ticket, bool first)
    {
        ref var slot = ref _tasks[ticket];
        if (slot.Walltime != 0 && slot.Walltime * 1000L > _settings.LongestTask)
        {
            // It ends with the turn.
            _lasting.Add(ticket, first);
            return;
        }

        if (!slot.Alone)
        {
            if (slot.Requirement == 0)
                _queues.Add(ticket, first);
            else
                _demanding.Add(ticket, first);
            return;
        }

        _alone.Add(ticket, first);
    }

    private void Requeue(int ticket)
    {
        TakeOut(ticket);
        _tasks[ticket].Manager = -1;
        _tasks[ticket].Sent = 0;
        Enqueue(ticket, first: true);
    }

    private void Send(int manager, int ticket, long now, IEndpointEffects effects)
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

    // A manager that has just gone may come back, and those of a block come one after the other.
    private bool AreManagersHere(long now) =>
        now - _lastLoss >= _settings.ReconnectGrace && (_managers.ReadyCount >= _blocks.Running * _settings.ManagersPerBlock || now - _lastArrival >= _settings.ReconnectGrace);

    private void AskRuntimes(IEndpointEffects effects)
    {
        _asksRuntimes = true;
        for (var manager = 0; manager < _managers.Used; manager++)
        {
            if (_managers[manager].State == ManagerState.Ready && _managers[manager].Runtimes == 0)
                effects.AskRuntimes(manager);
        }
    }

    private void DispatchDemanding(long now, IEndpointEffects effects)
    {
        for (var requirement = 1; requirement < _demanding.Used; requirement++)
        {
            if (_demanding.HeadOf(requirement) != TaskTable.None)
                DispatchDemanding(requirement, now, effects);
        }
    }

    private void DispatchDemanding(int requirement, long now, IEndpointEffects effects)
    {
        var suitable = _demanding.Judge(requirement, AreManagersHere(now));
        if (suitable == Suitable.Unknown)
            return;
        while (_demanding.HeadOf(requirement) is var ticket && ticket != TaskTable.None)
        {
            if (suitable == Suitable.None)
            {
                End(ticket, TaskOutcome.Rejected, effects);
            }
            else if (_tasks[ticket].Deadline != 0 && _tasks[ticket].Deadline < now)
            {
                End(ticket, TaskOutcome.Expired, effects);
            }
            else if (suitable == Suitable.All)
            {
                _demanding.Remove(ticket);
                _queues.Add(ticket, first: false);
            }
            else
            {
                var manager = _demanding.Find(requirement);
                if (manager < 0)
                    return;
                _demanding.Remove(ticket);
                if (!_managers[manager].Lasts(_tasks[ticket].Walltime, now))
                {
                    _lasting.Add(ticket, first: false);
                    continue;
                }

                Send(manager, ticket, now, effects);
                _managers.OnTasksChanged(manager, 1);
            }
        }
    }

    private void DispatchLasting(long now, IEndpointEffects effects) => _lasting.Look(
        now,
        _settings.LongestTask,
        (ticket, manager) =>
        {
            _lasting.Remove(ticket);
            Send(manager, ticket, now, effects);
            _managers.OnTasksChanged(manager, 1);
        },
        ticket => End(ticket, _tasks[ticket].Walltime * 1000L > _settings.LongestTask ? TaskOutcome.Rejected : TaskOutcome.Expired, effects));

    private void DispatchAlone(long now, IEndpointEffects effects) => _alone.Dispatch(
        now,
        AreManagersHere(now),
        (ticket, manager) =>
        {
            Send(manager, ticket, now, effects);
            _managers.OnTasksChanged(manager, 1);
        },
        (ticket, outcome) => End(ticket, outcome, effects));

    private void Adopt(int manager, in InventoryEntry entry, long now)
    {
        var ticket = OnTask(new TaskArrival { Task = entry.Task, Attempt = entry.Attempt }, now);
        TakeOut(ticket);
        ref var slot = ref _tasks[ticket];
        slot.Adopted = true;
        slot.Place = TaskPlace.AtManager;
        slot.Manager = manager;
        _adopted.Add(entry.Task, ticket);
        _managers[manager].Tasks.AddLast(_tasks, ticket);
        _managers.OnTasksChanged(manager, 1);
    }

    // Takes a task out of whichever list it is in; it is nowhere until it is put somewhere or released.
    private void TakeOut(int ticket)
    {
        ref var slot = ref _tasks[ticket];
        switch (slot.Place)
        {
            case TaskPlace.Queued:
                _queues.Remove(ticket);
                break;
            case TaskPlace.QueuedAlone:
                _alone.Remove(ticket);
                break;
            case TaskPlace.QueuedDemanding:
                _demanding.Remove(ticket);
                break;
            case TaskPlace.QueuedLasting:
                _lasting.Remove(ticket);
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

    private void Remove(int ticket, IEndpointEffects effects)
    {
        TakeOut(ticket);
        Release(ticket, effects);
    }

    private void Release(int ticket, IEndpointEffects effects)
    {
        ref var slot = ref _tasks[ticket];
        if (slot.Deadline != 0)
            _withDeadline--;
        if (slot.Adopted)
            _adopted.Remove(slot.Task);
        _tasks.Release(ticket);
        effects.Forget(ticket);
    }

    private void End(int ticket, TaskOutcome outcome, IEndpointEffects effects, bool cutOff = false)
    {
        var ended = Describe(ticket, outcome) with { CutOff = cutOff && outcome == TaskOutcome.AttemptLost };
        TakeOut(ticket);
        effects.EndTask(ended);
        Release(ticket, effects);
    }

    private void EndTaken(int ticket, TaskOutcome outcome, IEndpointEffects effects)
    {
        effects.EndTask(Describe(ticket, outcome));
        Release(ticket, effects);
    }

    private void GiveBack(int ticket, IEndpointEffects effects)
    {
        var ended = Describe(ticket, TaskOutcome.None);
        TakeOut(ticket);
        effects.GiveBackTask(ended);
        Release(ticket, effects);
    }

    private EndedTask Describe(int ticket, TaskOutcome outcome)
    {
        ref var slot = ref _tasks[ticket];
        return new EndedTask(ticket, slot.Task, slot.Attempt, slot.Epoch, slot.ServiceTicket, outcome, slot.Manager, slot.Received, slot.Sent, slot.Requirement,
            outcome == TaskOutcome.Rejected && slot.Place == TaskPlace.QueuedLasting ? slot.Walltime : 0);
    }

    // Who is gone when its time was over has been ended by it.
    private void Lose(int manager, long now, bool cutOff, IEndpointEffects effects)
    {
        cutOff |= now >= _managers[manager].EndsAt;
        // The stop ends managers, and what it interrupts is no loss. The tasks stay on the inventory of this process, should its link break, and are missing from the next one's.
        if (Stopping && !Draining && _managers[manager].Tasks.Count > 0)
            return;
        while (_managers[manager].Tasks.Head is var ticket && ticket != TaskTable.None)
            End(ticket, _tasks[ticket].Cancelled ? TaskOutcome.Cancelled : TaskOutcome.AttemptLost, effects, cutOff);
        _alone.Forget(manager);
        _managers.Remove(manager);
        effects.ForgetManager(manager);
    }

    private void ExpireWaiting(long now, IEndpointEffects effects)
    {
        for (var ticket = 0; ticket < _tasks.Used; ticket++)
        {
            ref var slot = ref _tasks[ticket];
            if (IsWaiting(slot.Place) && slot.Deadline != 0 && slot.Deadline < now)
                End(ticket, TaskOutcome.Expired, effects);
        }
    }

    private void WatchManagers(long now, IEndpointEffects effects)
    {
        foreach (var block in _blocks.All)
            block.InFlight = block.Managers = 0;
        for (var manager = 0; manager < _managers.Used; manager++)
        {
            ref var record = ref _managers[manager];
            if (record.State is ManagerState.Opening or ManagerState.Ready or ManagerState.Leaving && now - record.LastHeard > _settings.HeartbeatTimeout)
            {
                effects.CloseManager(manager, $"nothing was heard of manager {record.Name} for {(now - record.LastHeard) / 1_000_000.0:0.0} s");
                OnManagerDisconnected(manager, now, effects);
            }

            if (record.State == ManagerState.Away && now - record.AwaySince > _settings.ReconnectGrace)
                Lose(manager, now, cutOff: false, effects);
            if (record.State == ManagerState.Unknown)
                continue;
            record.Block.InFlight += record.InFlight;
            if (record.State != ManagerState.Opening)
                record.Block.Managers++;
        }

        foreach (var block in _blocks.All)
        {
            if (block.Phase == BlockPhase.Requested)
                continue;
            // Without a manager too: nodes that nobody dials in from cost the same.
            if (block.InFlight > 0 || !block.IsKnown(now))
                block.IdleSince = 0;
            else if (block.IdleSince == 0)
                block.IdleSince = now;
        }
    }

    private void RetireManagers()
    {
        for (var manager = 0; manager < _managers.Used; manager++)
        {
            if (_managers[manager].State == ManagerState.Ready && !Lives(_managers[manager].Block))
                _managers.SetState(manager, ManagerState.Leaving);
        }
    }
}
