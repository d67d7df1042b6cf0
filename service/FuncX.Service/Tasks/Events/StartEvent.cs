namespace FuncX.Service.Tasks.Events;

/// <summary>The state was just read from disk: no endpoint is connected.</summary>
internal sealed class StartEvent : EngineEvent
{
    public override void Apply(Turn turn)
    {
        GoesOn = false;
        foreach (var endpoint in turn.State.Endpoints.Values)
        {
            if (endpoint.Link is null)
                GoesOn |= !DisconnectEvent.TryEndAsked(turn, endpoint);
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
