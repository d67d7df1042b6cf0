using FuncX.Definitions;
using FuncX.Service.Auth;

namespace FuncX.Service.Registry;

/// <summary>A registered container. Its id is that of its definition.</summary>
public sealed record ContainerRecord(OwnerId Owner, string ContainerId, string Name, ContainerDefinition Definition)
{
    public string Description { get; init; } = "";

    /// <summary>Unix microseconds of the last registration that changed anything.</summary>
    public long RegisteredAt { get; init; }

    /// <summary>A deleted container is still found for the functions that name it.</summary>
    public bool IsDeleted { get; init; }
}
