using FuncX.Service.Links;

namespace FuncX.Service.Tasks.Events;

/// <summary>Opens a link; the one before is superseded.</summary>
internal sealed class ConnectEvent(LinkSession link, int endpointNumber, string by) : EngineEvent<bool>
{
    public override void Apply(Turn turn)
    {
        var endpoint = turn.State.Endpoint(endpointNumber);
        if (endpoint.Deleted)
            return;
        if (endpoint.Link is { } older)
            turn.Send(older, LinkItem.Superseded(by));
        link.SameInstance = endpoint.Instance == link.Instance && link.Instance.Length > 0;
        turn.Link(endpoint, link.Instance);
        link.Endpoint = endpoint;
        link.Epoch = endpoint.Epoch;
        endpoint.MaxAttempts = link.MaxAttempts;
        endpoint.Link = link;
        Answer = true;
    }
}
