namespace FuncX.Configuration;

/// <summary>Whose tasks run here.</summary>
public enum SharingMode
{
    /// <summary>Only the owner's.</summary>
    Owner,

    /// <summary>Also those of named users and groups, all under the account of the endpoint.</summary>
    AllowSharedAccount,
}

/// <summary>The <c>sharing</c> section.</summary>
public sealed record SharingConfiguration
{
    public SharingMode Mode { get; init; } = SharingMode.Owner;

    public IReadOnlyList<string> Users { get; init; } = [];

    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>Patterns of functions that may run.</summary>
    public IReadOnlyList<string> Functions { get; init; } = ["*"];
}
