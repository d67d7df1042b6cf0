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

    private readonly TaskTable _tasks = new();
    private readonly ManagerTable _managers;
    private readonly TaskPlaces _places;
    private readonly BlockPlan _blocks;
    private readonly ManagerPresence _presence;
    private readonly TaskDispatch _dispatch;
    private readonly TaskRecall _recall;
    private long _nextSlowTick;

    public EndpointCore(CoreSettings settings)
    {
        _managers = new ManagerTable(settings);
        _places = new TaskPlaces(settings, _tasks, _managers, Requirements);
        _blocks = new BlockPlan(settings);
        _presence = new ManagerPresence(settings, _tasks, _managers, _places, _blocks);
        _dispatch = new TaskDispatch(settings, _tasks, _managers, Requirements, _places, _presence);
        _recall = new TaskRecall(_managers);
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
    public int Queued => _places.Waiting;

    /// <summary>Their bytes.</summary>
    public long QueuedBytes => _places.WaitingBytes;

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
    public int WaitingForTime => _places.Lasting.Count + _places.Alone.WaitingForTime;

    /// <summary>When <see cref="OnTick"/> wants to be called next.</summary>
    public long NextTick => Math.Min(Math.Min(_nextSlowTick, _recall.Next), Paused || Stopping ? long.MaxValue : _places.Lasting.Next);

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
            var failure = _blocks.LastFailure.Length > 0 ? $"no block: {_blocks.LastFailure}" : "";
            if (_managers.ReadyCount > 0)
                return waiting.Length > 0 ? Joined(waiting, failure, _blocks.PendingReason) : "";
            if (failure.Length > 0)
                return Joined(failure, _blocks.PendingReason);
            if (_blocks.Fixed == 0 && Queued > 0)
                return "no block: none is wanted since `scale 0`; `scale auto` lets them follow the demand again";
            if (_blocks.Requested > 0)
                return Joined($"no block yet: {_blocks.Requested} requested, waiting for the first manager", _blocks.PendingReason);
            return _blocks.Running > 0 ? Joined("no manager of a running block is connected", _blocks.PendingReason) : "";
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
    public int OnTask(in TaskArrival arrival, long now) => _places.Add(arrival, now);

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
        if (!_places.TryResolve(ticket, task, attempt, out var found))
        {
            receipt = default;
            return false;
        }

        ref var slot = ref _tasks[found];
        receipt = new ResultReceipt(slot.Received, slot.Sent, slot.ServiceTicket);
        if (slot.Place == TaskPlace.AtManager && slot.Manager != manager)
            effects.CancelTask(slot.Manager, found, slot.Task);
        Completed++;
        _places.Remove(found, effects);
        return true;
    }

    /// <summary>A manager gave a task back that has not started.</summary>
    public void OnReturned(int manager, uint ticket, in TaskId task, ushort attempt, IEndpointEffects effects)
    {
        if (!_places.TryResolve(ticket, task, attempt, out var found) || _tasks[found].Place != TaskPlace.AtManager || _tasks[found].Manager != manager)
            return;
        _presence.TakeBack(found, effects);
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
                _places.End(ticket, TaskOutcome.Cancelled, effects);
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
    public int OnManagerConnected(string name, string block, long now, long endsAt = long.MaxValue) => _presence.OnConnected(name, block, now, endsAt);

    /// <summary>
    /// What a manager holds. Tasks that were sent and did not arrive are queued again (they cannot have started); tasks it holds from before a restart of the
    /// endpoint are adopted.
    /// </summary>
    public void OnInventory(int manager, ReadOnlySpan<InventoryEntry> entries, long now, IEndpointEffects effects) => _presence.OnInventory(manager, entries, now, effects);

    /// <summary>A manager has said which runtimes its node has; a number of <see cref="Requirements"/>.</summary>
    public void OnRuntimes(int manager, int runtimes) => _managers.SetRuntimes(manager, runtimes);

    /// <summary>A manager says that it takes no more tasks: it finishes what it has, and what it has not begun comes back.</summary>
    public void OnManagerLeaving(int manager) => _presence.OnLeaving(manager);

    /// <summary>Something arrived from a manager.</summary>
    public void OnHeard(int manager, long now) => _managers[manager].LastHeard = now;

    /// <summary>A manager's connection takes no more for now, or takes again.</summary>
    public void OnManagerBlocked(int manager, bool blocked) => _presence.OnBlocked(manager, blocked);

    /// <summary>A manager's connection is gone. Its tasks wait for it until the grace has passed, or its block has ended.</summary>
    public void OnManagerDisconnected(int manager, long now, IEndpointEffects effects) => _presence.OnDisconnected(manager, now, effects);

    // Blocks.

    /// <summary>From now on there are so many blocks whatever the demand; null: they follow it. No more than the configuration's most.</summary>
    public void OnScale(int? blocks)
    {
        if (_blocks.Fix(blocks))
            _presence.Restore();
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

    /// <summary>The provider says when the block's time will be over, Unix microseconds: its managers are told, and last longer than they have said when that is later.</summary>
    public void OnBlockEnds(string block, long endsAt)
    {
        if (_blocks.OnEnds(block, endsAt) is { } longer)
            _presence.Prolong(longer);
    }

    /// <summary>Whether there is such a block: one that was asked for or has survived, and has not ended.</summary>
    public bool HasBlock(string block) => _blocks.Has(block);

    /// <summary>The provider says why the block's job waits; empty: it does not wait any more, or nobody knows why.</summary>
    public void OnBlockPending(string block, string reason) => _blocks.OnPending(block, reason);

    /// <summary>The provider says that the block's processes stand still from now on, or go on.</summary>
    public void OnBlockSuspended(string block, bool suspended) => _blocks.OnSuspended(block, suspended);

    /// <summary>The provider says the block has ended, or never started. What is still connected of it gets no more tasks.</summary>
    /// <param name="block">Its id.</param>
    /// <param name="reason">How it ended, for people.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Is told of the tasks it had.</param>
    /// <param name="cutOff">Its time was over: what it had is lost by no fault of its own.</param>
    public void OnBlockEnded(string block, string reason, long now, IEndpointEffects effects, bool cutOff = false)
    {
        if (_blocks.OnEnded(block, reason, now) is { } ended)
            _presence.OnBlockEnded(ended, now, cutOff, effects);
    }

    private static string Joined(params ReadOnlySpan<string> texts) => string.Join("; ", texts.ToArray().Where(static text => text.Length > 0));

    // Turns.

    /// <summary>Sends waiting tasks to managers with room: free workers anywhere first, then ahead of busy ones. Once at the end of a turn.</summary>
    public void Dispatch(long now, IEndpointEffects effects)
    {
        if (Stopping && Queued > 0)
            _places.GiveBackWaiting(effects);
        if (Paused || Stopping)
            return;
        _dispatch.Turn(now, effects);
        if (Queued > 0)
            _blocks.Grow(_tasks.Count, WaitingForTime, now, effects);
        else
            _recall.Watch(now);
    }

    /// <summary>Time has passed: at <see cref="NextTick"/>, or when convenient after it.</summary>
    public void OnTick(long now, IEndpointEffects effects)
    {
        if (now >= _recall.Next)
            _recall.Look(_places.Queues.Count > 0, now, effects);
        if (now < _nextSlowTick)
            return;
        _nextSlowTick = now + SlowTick;
        if (_places.WithDeadline > 0)
            _places.ExpireWaiting(now, effects);
        _presence.Watch(now, effects);
        _blocks.Grow(_tasks.Count, WaitingForTime, now, effects);
        if (_blocks.Shrink(_tasks.Count, WaitingForTime, now, effects))
            _presence.Retire();
    }

    /// <summary>The endpoint stops: what waits goes back to the service, what runs may finish, and nothing that is interrupted counts as a lost attempt.</summary>
    public void OnStop(IEndpointEffects effects)
    {
        Draining = false;
        _blocks.Stopping = true;
        _presence.IsStopping = true;
        _places.GiveBackWaiting(effects);
    }

    /// <summary>The endpoint is to stop once what runs has ended; what waits goes back to the service.</summary>
    public void OnDrain(IEndpointEffects effects)
    {
        if (Stopping)
            return;
        OnStop(effects);
        // What is lost while the rest may finish is a loss.
        Draining = true;
        _presence.IsStopping = false;
    }
}
