namespace FuncX.Service.Tasks.Events;

/// <summary>An endpoint still has what the last turn was too full to look at.</summary>
internal sealed class ReadyEvent(EndpointState endpoint) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        if (turn.State.Has(endpoint))
            turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
