using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

/// <summary>Tasks that their endpoint gives back: they have not started, so it is the same execution that is sent again.</summary>
internal sealed class TakeBackEvent(LinkSession link, IReadOnlyList<(TaskId Task, ushort Attempt)> tasks) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        // What a link that is over gave back, the next one's inventory lacks.
        if (link.Endpoint is not { } endpoint || endpoint.Link != link)
            return;
        // Backwards, since each goes to the front of the queue.
        for (var at = tasks.Count - 1; at >= 0; at--)
        {
            var (task, attempt) = tasks[at];
            if (!turn.State.TryGet(new BatchKey(task.Batch, link.Owner), out var batch) || batch.Endpoint != endpoint || task.Index >= (uint)batch.Slots.Length)
                continue;
            ref readonly var slot = ref batch.Slots[task.Index];
            if (slot.State != SlotState.Dispatched || slot.Attempt != attempt)
                continue;
            if (slot.CancelAsked)
                turn.Finish(batch, (int)task.Index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled before it started."));
            else
                turn.Requeue(batch, (int)task.Index, slot.Attempt);
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
