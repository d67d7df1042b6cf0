using FuncX.Contracts.V1;

namespace FuncX.Client;

/// <summary>A machine or cluster that executes; the service gave it this id when it was registered.</summary>
public readonly record struct EndpointId(string Value)
{
    /// <summary>The id of an endpoint that the service described.</summary>
    public static implicit operator EndpointId(EndpointInfo endpoint) => new(endpoint.EndpointId);

    public override string ToString() => Value;
}
