using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>
/// One turn: what waits goes to managers with room, free workers anywhere first, then ahead of busy ones. Tasks that ask nothing are the many; those that ask for a runtime, for a block that lasts
/// or for a node of their own come from their lists. Benchmark: CoreBenchmarks.
/// </summary>
internal sealed class TaskDispatch(CoreSettings settings, TaskTable tasks, ManagerTable managers, Requirements requirements, TaskPlaces places, ManagerPresence presence)
{
    public void Turn(long now, IEndpointEffects effects)
    {
        if (places.IsDemanded)
            presence.AskRuntimes(effects);
        if (!places.Alone.IsIdle)
            DispatchAlone(now, effects);
        if (places.Demanding.Count > 0)
            DispatchDemanding(now, effects);
        DispatchQueued(now, effects);
        if (places.Lasting.Next <= now)
            DispatchLasting(now, effects);
    }

    private void DispatchQueued(long now, IEndpointEffects effects)
    {
        var queues = places.Queues;
        while (queues.Count > 0)
        {
            var manager = managers.Next(queues.Count, now, out var share);
            if (manager < 0)
                break;
            var sent = 0;
            while (sent < share && queues.Count > 0)
            {
                var ticket = queues.Take();
                ref var slot = ref tasks[ticket];
                if (slot.Deadline != 0 && slot.Deadline < now)
                {
                    places.EndTaken(ticket, TaskOutcome.Expired, effects);
                    continue;
                }

                if (!requirements.IsMet(slot.Requirement, managers[manager].Runtimes))
                {
                    // Another kind of node has come since all of them would do.
                    places.Demanding.Add(ticket, first: false);
                    continue;
                }

                if (!managers[manager].Lasts(slot.Walltime, now))
                {
                    places.Lasting.Add(ticket, first: false);
                    continue;
                }

                places.Send(manager, ticket, now, effects);
                sent++;
                if (managers[manager].Bytes >= settings.BytesPerManager)
                    break;
            }

            managers.OnTasksChanged(manager, sent);
        }
    }

    private void DispatchDemanding(long now, IEndpointEffects effects)
    {
        for (var requirement = 1; requirement < places.Demanding.Used; requirement++)
        {
            if (places.Demanding.HeadOf(requirement) != TaskTable.None)
                DispatchDemanding(requirement, now, effects);
        }
    }

    private void DispatchDemanding(int requirement, long now, IEndpointEffects effects)
    {
        var demanding = places.Demanding;
        var suitable = demanding.Judge(requirement, presence.AreAllHere(now));
        if (suitable == Suitable.Unknown)
            return;
        while (demanding.HeadOf(requirement) is var ticket && ticket != TaskTable.None)
        {
            if (suitable == Suitable.None)
            {
                places.End(ticket, TaskOutcome.Rejected, effects);
            }
            else if (tasks[ticket].Deadline != 0 && tasks[ticket].Deadline < now)
            {
                places.End(ticket, TaskOutcome.Expired, effects);
            }
            else if (suitable == Suitable.All)
            {
                demanding.Remove(ticket);
                places.Queues.Add(ticket, first: false);
            }
            else
            {
                var manager = demanding.Find(requirement);
                if (manager < 0)
                    return;
                demanding.Remove(ticket);
                if (!managers[manager].Lasts(tasks[ticket].Walltime, now))
                {
                    places.Lasting.Add(ticket, first: false);
                    continue;
                }

                Send(manager, ticket, now, effects);
            }
        }
    }

    private void DispatchLasting(long now, IEndpointEffects effects) => places.Lasting.Look(
        now,
        settings.LongestTask,
        (ticket, manager) =>
        {
            places.Lasting.Remove(ticket);
            Send(manager, ticket, now, effects);
        },
        ticket => places.End(ticket, tasks[ticket].Walltime * 1000L > settings.LongestTask ? TaskOutcome.Rejected : TaskOutcome.Expired, effects));

    private void DispatchAlone(long now, IEndpointEffects effects) => places.Alone.Dispatch(
        now,
        presence.AreAllHere(now),
        (ticket, manager) => Send(manager, ticket, now, effects),
        (ticket, outcome) => places.End(ticket, outcome, effects));

    private void Send(int manager, int ticket, long now, IEndpointEffects effects)
    {
        places.Send(manager, ticket, now, effects);
        managers.OnTasksChanged(manager, 1);
    }
}
