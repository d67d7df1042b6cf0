using FuncX.Contracts.V1;

namespace FuncX.Client;

/// <summary>A registered container: 64 lower-case hexadecimal digits, the SHA-256 of what it is.</summary>
public readonly record struct ContainerId(string Value)
{
    /// <summary>The id of a container that the service described.</summary>
    public static implicit operator ContainerId(ContainerInfo container) => new(container.ContainerId);

    public override string ToString() => Value;
}
