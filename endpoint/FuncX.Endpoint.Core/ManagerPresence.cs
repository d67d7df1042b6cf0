using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>
/// Managers as they come, say what they hold, fall silent, break off and come back; and what their coming and going does to the tasks they have. One that broke off keeps its tasks for a while, or
/// until its block has ended.
/// </summary>
internal sealed class ManagerPresence(CoreSettings settings, TaskTable tasks, ManagerTable managers, TaskPlaces places, BlockPlan blocks)
{
    // What a job has left for answers after the last moment of tasks (protocol/README.md, "Block agent and endpoint").
    private const long NotForTasks = 10_000_000;

    // Managers take a later end for one that is later by 30 s: who counts on it is a little slower to.
    private const long MuchLater = 45_000_000;

    private long _lastArrival = long.MinValue / 2;
    private long _lastLoss = long.MinValue / 2;
    private bool _asksRuntimes;

    /// <summary>The endpoint itself ends its managers: what that interrupts is no loss.</summary>
    public bool IsStopping { get; set; }

    // A manager that has just gone may come back, and those of a block come one after the other.
    public bool AreAllHere(long now) =>
        now - _lastLoss >= settings.ReconnectGrace && (managers.ReadyCount >= blocks.Running * settings.ManagersPerBlock || now - _lastArrival >= settings.ReconnectGrace);

    public int OnConnected(string name, string block, long now, long endsAt)
    {
        _lastArrival = now;
        var plan = blocks.Find(block);
        blocks.OnManager(plan, now);
        if (!managers.TryFind(name, out var manager))
        {
            manager = managers.Add(name, plan, now);
            managers[manager].EndsAt = Prolonged(endsAt, plan);
            return manager;
        }

        managers[manager].EndsAt = Prolonged(endsAt, plan);
        managers[manager].SaysLeaving = false;
        places.Alone.Forget(manager);
        managers.SetState(manager, ManagerState.Opening);
        managers[manager].LastHeard = now;
        return manager;
    }

    public void OnInventory(int manager, ReadOnlySpan<InventoryEntry> entries, long now, IEndpointEffects effects)
    {
        // A manager may hold an older attempt of a task beside a newer one: it was adopted after the service had replaced it.
        var held = new Dictionary<(TaskId Task, ushort Attempt), InventoryEntry>(entries.Length);
        foreach (ref readonly var entry in entries)
            held[(entry.Task, entry.Attempt)] = entry;

        for (var ticket = managers[manager].Tasks.Head; ticket != TaskTable.None;)
        {
            ref var slot = ref tasks[ticket];
            var next = slot.Next;
            if (held.Remove((slot.Task, slot.Attempt)))
            {
                if (slot.Cancelled)
                    effects.CancelTask(manager, ticket, slot.Task);
            }
            else
            {
                TakeBack(ticket, effects);
            }

            ticket = next;
        }

        foreach (var entry in held.Values.OrderByDescending(static entry => entry.Attempt))
            places.Adopt(manager, entry, now);

        managers.OnProgress(manager, now);
        blocks.OnReady(managers[manager].Block);
        managers.SetState(manager, Lives(managers[manager].Block) ? ManagerState.Ready : ManagerState.Leaving);
        places.Lasting.OnManager();
        if (_asksRuntimes && managers[manager].Runtimes == 0)
            effects.AskRuntimes(manager);
    }

    /// <summary>A task that was at a manager and has not begun there: it waits again, unless nobody wants it to any more.</summary>
    public void TakeBack(int ticket, IEndpointEffects effects)
    {
        if (tasks[ticket].Cancelled)
            places.End(ticket, TaskOutcome.Cancelled, effects);
        else if (tasks[ticket].Adopted || blocks.Stopping)
            places.GiveBack(ticket, effects);
        else
            places.Requeue(ticket);
    }

    public void OnLeaving(int manager)
    {
        managers[manager].SaysLeaving = true;
        if (managers[manager].State != ManagerState.Ready)
            return;
        managers.SetState(manager, ManagerState.Leaving);
        blocks.OnLeaving(managers[manager].Block);
    }

    public void OnBlocked(int manager, bool blocked)
    {
        ref var record = ref managers[manager];
        if (record.State == ManagerState.Unknown || record.Blocked == blocked)
            return;
        record.Blocked = blocked;
        managers.Rejoin(manager);
    }

    public void OnDisconnected(int manager, long now, IEndpointEffects effects)
    {
        ref var record = ref managers[manager];
        if (record.State is ManagerState.Unknown or ManagerState.Away)
            return;
        record.AwaySince = _lastLoss = now;
        record.Blocked = false;
        managers.SetState(manager, ManagerState.Away);
        places.Alone.Forget(manager);
        // One too many or near its end, a block has the tasks it has; only from one that was told to end, or has ended, nobody comes back.
        if (record.Tasks.Count == 0 || record.Block.Phase == BlockPhase.Ending)
            Lose(manager, now, effects);
    }

    /// <summary>The block's job has been made longer, perhaps.</summary>
    public void Prolong(Block block)
    {
        for (var manager = 0; manager < managers.Used; manager++)
        {
            if (managers[manager].State != ManagerState.Unknown && ReferenceEquals(managers[manager].Block, block))
                managers[manager].EndsAt = Prolonged(managers[manager].EndsAt, block);
        }

        places.Lasting.OnManager();
    }

    /// <summary>Nobody of the block comes back. Whoever is still there finishes what he has.</summary>
    public void OnBlockEnded(Block block, long now, bool cutOff, IEndpointEffects effects)
    {
        block.CutOff = cutOff;
        for (var manager = 0; manager < managers.Used; manager++)
        {
            if (managers[manager].State == ManagerState.Away && ReferenceEquals(managers[manager].Block, block))
                Lose(manager, now, effects);
        }

        Retire();
    }

    /// <summary>From now on managers are asked which runtimes they have.</summary>
    public void AskRuntimes(IEndpointEffects effects)
    {
        if (_asksRuntimes)
            return;
        _asksRuntimes = true;
        for (var manager = 0; manager < managers.Used; manager++)
        {
            if (managers[manager].State == ManagerState.Ready && managers[manager].Runtimes == 0)
                effects.AskRuntimes(manager);
        }
    }

    /// <summary>Gives up those that are silent or away for too long, and counts what runs on each block.</summary>
    public void Watch(long now, IEndpointEffects effects)
    {
        foreach (var block in blocks.All)
            block.InFlight = block.Managers = 0;
        for (var manager = 0; manager < managers.Used; manager++)
        {
            ref var record = ref managers[manager];
            if (record.State is ManagerState.Opening or ManagerState.Ready or ManagerState.Leaving && now - record.LastHeard > settings.HeartbeatTimeout)
            {
                effects.CloseManager(manager, record.Block.Id, $"nothing was heard of manager {record.Name} for {(now - record.LastHeard) / 1_000_000.0:0.0} s");
                OnDisconnected(manager, now, effects);
            }

            if (record.State == ManagerState.Away && now - record.AwaySince > settings.ReconnectGrace)
                Lose(manager, now, effects);
            if (record.State == ManagerState.Unknown)
                continue;
            record.Block.InFlight += record.InFlight;
            if (record.State != ManagerState.Opening)
                record.Block.Managers++;
        }

        foreach (var block in blocks.All)
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

    /// <summary>Managers of blocks that are one too many, or end, get no more tasks.</summary>
    public void Retire()
    {
        for (var manager = 0; manager < managers.Used; manager++)
        {
            if (managers[manager].State == ManagerState.Ready && !Lives(managers[manager].Block))
                managers.SetState(manager, ManagerState.Leaving);
        }
    }

    /// <summary>Managers of blocks that were one too many and are wanted again get tasks again.</summary>
    public void Restore()
    {
        for (var manager = 0; manager < managers.Used; manager++)
        {
            if (managers[manager] is { State: ManagerState.Leaving, SaysLeaving: false } && Lives(managers[manager].Block))
                managers.SetState(manager, ManagerState.Ready);
        }
    }

    // Never shorter: of a job that began anew the scheduler's word may still be the old one.
    private static long Prolonged(long endsAt, Block block) => endsAt != long.MaxValue && block.EndsAt - NotForTasks - endsAt > MuchLater ? block.EndsAt - NotForTasks : endsAt;

    private static bool Lives(Block block) => block.Phase != BlockPhase.Ending && !block.Retiring;

    // Who is gone when its time was over has been ended by it.
    private void Lose(int manager, long now, IEndpointEffects effects)
    {
        var cutOff = managers[manager].Block.CutOff || now >= managers[manager].EndsAt;
        var suspended = managers[manager].Block.Suspended;
        // The tasks stay on the inventory of this process, should its link break, and are missing from the next one's.
        if (IsStopping && managers[manager].Tasks.Count > 0)
            return;
        while (managers[manager].Tasks.Head is var ticket && ticket != TaskTable.None)
            places.End(ticket, tasks[ticket].Cancelled ? TaskOutcome.Cancelled : TaskOutcome.AttemptLost, effects, cutOff, suspended);
        places.Alone.Forget(manager);
        managers.Remove(manager);
        effects.ForgetManager(manager);
    }
}
