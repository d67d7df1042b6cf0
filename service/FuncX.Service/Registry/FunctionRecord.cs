using FuncX.Service.Auth;

namespace FuncX.Service.Registry;

/// <summary>A registered function. The number is the service's own and stable; the id is the SHA-256 of what the function is.</summary>
/// <param name="Kind">As on the link: "python".</param>
public sealed record FunctionRecord(int Number, OwnerId Owner, string FunctionId, string Kind, string Name, string Entry, byte[] Code)
{
    /// <summary>What it requires of a node, separated by <see cref="Wire.RuntimeRequirement.Separator"/>.</summary>
    public string Requires { get; init; } = "";

    /// <summary>The id of the container it runs in, of the same owner; empty: none.</summary>
    public string Container { get; init; } = "";

    public string Description { get; init; } = "";

    /// <summary>Unix microseconds of the last registration that changed anything.</summary>
    public long RegisteredAt { get; init; }

    /// <summary>A deleted function is still found by its number.</summary>
    public bool IsDeleted { get; init; }
}
