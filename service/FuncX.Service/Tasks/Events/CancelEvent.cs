using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

/// <summary>Cancels single tasks, or all that a group has at this moment.</summary>
internal sealed class CancelEvent(int owner, IReadOnlyList<TaskId> tasks, string? group) : EngineEvent<long>
{
    private readonly List<Batch> _batches = [];
    private LiveState? _state;
    private int _task;
    private int _batch;
    private uint _index;

    public override void Apply(Turn turn)
    {
        if (_state != turn.State)
            Begin(turn.State);
        GoesOn = true;
        for (; _task < tasks.Count; _task++)
        {
            if (turn.IsFull)
                return;
            if (turn.State.TryGet(new BatchKey(tasks[_task].Batch, owner), out var batch))
                Cancel(turn, batch, tasks[_task].Index);
        }

        for (; _batch < _batches.Count; _batch++, _index = 0)
        {
            for (; _index < _batches[_batch].Slots.Length; _index++)
            {
                if (turn.IsFull)
                    return;
                Cancel(turn, _batches[_batch], _index);
            }
        }

        GoesOn = false;
    }

    private void Begin(LiveState state)
    {
        _state = state;
        (_task, _batch, _index, Answer) = (0, 0, 0, 0);
        _batches.Clear();
        if (group is not null && state.Groups.TryGetValue((owner, group), out var wanted))
            _batches.AddRange(state.Batches.Values.Where(batch => batch.Group == wanted));
    }

    private void Cancel(Turn turn, Batch batch, uint index)
    {
        if (index >= (uint)batch.Slots.Length || batch.Slots[index].State == SlotState.Done)
            return;
        Answer++;
        turn.Mark("cancel");
        ref readonly var slot = ref batch.Slots[index];
        if (slot.State == SlotState.Queued)
        {
            turn.Finish(batch, (int)index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled before it started."));
        }
        else if (batch.Endpoint.Link is not { } link)
        {
            turn.Finish(batch, (int)index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled while its endpoint was offline."));
        }
        else
        {
            // A link is told once: when it is opened, of all that were asked for before.
            if (slot.CancelAsked)
                return;
            turn.AskCancel(batch, (int)index);
            turn.Send(link, LinkItem.Cancel(new TaskId(batch.Key.Id, index)));
        }
    }
}
