using FuncX.Service.Links;
using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

/// <summary>Tasks that a link could not send: their function or their arguments cannot be had.</summary>
internal sealed class UnsendableEvent(Assignment assignment, string reason) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        var batch = assignment.Batch;
        if (!turn.State.Has(batch))
            return;
        for (var index = assignment.From; index < assignment.From + assignment.Count && index < batch.Slots.Length; index++)
        {
            if (batch.Slots[index].State != SlotState.Done)
                turn.Finish(batch, index, TaskOutcome.Rejected, new FailureBody("Rejected", reason));
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
