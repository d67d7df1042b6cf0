using FuncX.Service.Links;
using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

/// <summary>A link is gone.</summary>
internal sealed class DisconnectEvent(LinkSession link) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        var again = GoesOn;
        GoesOn = false;
        if (link.Endpoint is not { } endpoint || !turn.State.Has(endpoint) || endpoint.Link != (again ? null : link))
            return;
        endpoint.Link = null;
        GoesOn = !TryEndAsked(turn, endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }

    /// <summary>Ends sent tasks that were to be cancelled: their endpoint is not there to say anything of them. False: the turn is full before the last.</summary>
    internal static bool TryEndAsked(Turn turn, EndpointState endpoint)
    {
        for (var asked = endpoint.CancelsAsked; asked.Count > 0; asked.RemoveAt(asked.Count - 1))
        {
            if (turn.IsFull)
                return false;
            var (batch, index) = asked[^1];
            if (index < batch.Slots.Length && batch.Slots[index].State != SlotState.Done)
                turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled while its endpoint was offline."));
        }

        return true;
    }
}
