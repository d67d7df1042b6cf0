namespace FuncX.Endpoint.Identity;

/// <summary>Who this endpoint is at its service.</summary>
public sealed class EndpointIdentity
{
    public required string EndpointId { get; init; }

    /// <summary>The endpoint's own token, good for its link only. Never logged.</summary>
    public required string Credential { get; init; }

    public required string ServiceAddress { get; init; }

    /// <summary>New for each process: tells two processes of one endpoint apart.</summary>
    public required string Instance { get; init; }
}
