using FuncX.Service.Auth;

namespace FuncX.Service.Registry;

/// <summary>A registered endpoint. The number is the service's own, stable, and never given to another.</summary>
public sealed record EndpointRecord(int Number, OwnerId Owner, string EndpointId, string Name)
{
    public string Description { get; init; } = "";

    /// <summary>Unix microseconds of the first registration.</summary>
    public long RegisteredAt { get; init; }

    /// <summary>Unix microseconds when its link was last opened or closed; 0: never.</summary>
    public long LastSeen { get; init; }

    /// <summary>What it said of itself then.</summary>
    public string Version { get; init; } = "";

    /// <summary>A deleted endpoint is still found by its number.</summary>
    public bool IsDeleted { get; init; }
}
