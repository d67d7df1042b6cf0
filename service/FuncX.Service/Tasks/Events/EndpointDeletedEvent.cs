using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

/// <summary>An endpoint was deleted: what it has not finished ends.</summary>
internal sealed class EndpointDeletedEvent(int number, string name) : EngineEvent<bool>
{
    public override void Apply(Turn turn)
    {
        var endpoint = turn.State.Endpoint(number);
        if (!endpoint.Deleted)
        {
            turn.DeleteEndpoint(endpoint);
            endpoint.Link?.End($"endpoint '{name}' was deleted");
            endpoint.Link = null;
        }

        GoesOn = true;
        foreach (var batch in endpoint.Unfinished)
        {
            for (var index = 0; index < batch.Slots.Length; index++)
            {
                if (turn.IsFull)
                    return;
                if (batch.Slots[index].State != SlotState.Done)
                    turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("EndpointDeleted", $"Endpoint '{name}' was deleted before the task ended."));
            }
        }

        GoesOn = false;
        Answer = true;
    }
}
