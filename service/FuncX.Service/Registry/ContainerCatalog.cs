using System.Diagnostics.CodeAnalysis;
using FuncX.Service.Auth;

namespace FuncX.Service.Registry;

/// <summary>Containers by owner and id, from registry.db: they are looked at when something is registered and once per link and function. Safe for any thread.</summary>
public sealed class ContainerCatalog(RegistryDatabase database)
{
    private readonly ContainerTable _table = new(database);

    /// <summary>A container of that owner that is not deleted.</summary>
    public bool TryGet(OwnerId owner, string containerId, [NotNullWhen(true)] out ContainerRecord? container)
    {
        container = _table.Find(owner, containerId);
        return container is { IsDeleted: false };
    }

    /// <summary>What a function of that owner runs in, also when it was deleted since.</summary>
    public ContainerRecord? OfFunction(FunctionRecord function) => function.Container.Length > 0 ? _table.Find(function.Owner, function.Container) : null;

    /// <summary>Registers a container; the same again changes its name and description only, and makes it the newest of that name.</summary>
    /// <returns>False when the owner has as many as allowed.</returns>
    public bool TryRegister(ContainerRecord registration, int mostContainers, [NotNullWhen(true)] out ContainerRecord? container)
    {
        container = _table.Register(registration, mostContainers);
        return container is not null;
    }

    /// <returns>False when the owner has none of that id.</returns>
    public bool TryDelete(OwnerId owner, string containerId, long now) => _table.Delete(owner, containerId, now);

    /// <summary>The id that a text names: an id, the beginning of one, or a name; null when it names nothing of the owner's.</summary>
    public string? Resolve(OwnerId owner, string asked) =>
        RegistryName.Resolve("container", asked, digits => _table.FindByPrefix(owner, digits, most: 2), name => _table.FindByName(owner, name));

    /// <summary>The owner's containers, newest first.</summary>
    public IReadOnlyList<ContainerRecord> List(OwnerId owner, int most) => _table.List(owner, most);
}
