using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;

namespace FuncX.Service.Registry;

/// <summary>Endpoints by id and by number, all in memory. Safe for any thread.</summary>
public sealed class EndpointCatalog
{
    private readonly EndpointTable _table;
    private readonly TimeProvider _clock;
    private readonly ConcurrentDictionary<(OwnerId Owner, string Id), EndpointRecord> _byId = new();
    private readonly ConcurrentDictionary<int, EndpointRecord> _byNumber = new();
    private readonly Lock _gate = new();

    public EndpointCatalog(RegistryDatabase database, TimeProvider clock)
    {
        _table = new EndpointTable(database);
        _clock = clock;
        foreach (var endpoint in _table.ReadAll())
            Put(endpoint);
    }

    /// <summary>
    /// Raised after an endpoint's deletion is durable; the call that deleted it waits for all who listen. A crash can come between the two: whoever
    /// holds something for endpoints looks for deleted ones (<see cref="EndpointRecord.IsDeleted"/>) when it starts.
    /// </summary>
    public event Func<EndpointRecord, Task>? Deleted;

    /// <summary>Endpoints of all owners that are not deleted.</summary>
    public int Count => _byId.Count;

    /// <summary>An endpoint of that owner that is not deleted.</summary>
    public bool TryGet(OwnerId owner, string endpointId, [NotNullWhen(true)] out EndpointRecord? endpoint) => _byId.TryGetValue((owner, endpointId), out endpoint);

    /// <summary>An endpoint by the service's number, also a deleted one.</summary>
    public bool TryGetByNumber(int number, [NotNullWhen(true)] out EndpointRecord? endpoint) => _byNumber.TryGetValue(number, out endpoint);

    /// <summary>The owner's endpoint of that name that is not deleted.</summary>
    public EndpointRecord? FindByName(OwnerId owner, string name)
    {
        foreach (var (_, endpoint) in _byId)
        {
            if (endpoint.Owner == owner && string.Equals(endpoint.Name, name, StringComparison.Ordinal))
                return endpoint;
        }

        return null;
    }

    /// <summary>The owner's endpoints that are not deleted, by name.</summary>
    public IReadOnlyList<EndpointRecord> List(OwnerId owner)
    {
        var endpoints = new List<EndpointRecord>();
        foreach (var (_, endpoint) in _byId)
        {
            if (endpoint.Owner == owner)
                endpoints.Add(endpoint);
        }

        endpoints.Sort((one, other) => string.CompareOrdinal(one.Name, other.Name));
        return endpoints;
    }

    /// <summary>Registers an endpoint, or renews the credential of the one that the owner has by that name; the earlier credential dies.</summary>
    /// <param name="credential">The new credential's text; its only copy.</param>
    /// <returns>False when the owner has as many endpoints as allowed.</returns>
    public bool TryRegister(OwnerId owner, string name, string description, ServiceLimits limits, [NotNullWhen(true)] out EndpointRecord? endpoint, out string credential)
    {
        credential = "";
        lock (_gate)
        {
            endpoint = FindByName(owner, name);
            if (endpoint is null && List(owner).Count >= limits.EndpointsPerUser)
                return false;
            credential = TokenText.Create(TokenText.EndpointPrefix);
            var now = _clock.UnixMicroseconds();
            endpoint = endpoint is null
                ? _table.Insert(new EndpointRecord(0, owner, Guid.NewGuid().ToString(), name) { Description = description, RegisteredAt = now }, credential)
                : _table.Renew(endpoint with { Description = description }, credential, now);
            Put(endpoint);
            return true;
        }
    }

    /// <summary>Deletes an endpoint and its credential. The caller ends its link, then says so: <see cref="RaiseDeletedAsync"/>.</summary>
    /// <returns>False when the owner has none of that id.</returns>
    public bool TryDelete(OwnerId owner, string endpointId, [NotNullWhen(true)] out EndpointRecord? deleted)
    {
        deleted = null;
        lock (_gate)
        {
            if (!TryGet(owner, endpointId, out var endpoint))
                return false;
            deleted = endpoint with { IsDeleted = true };
            _table.Delete(deleted, _clock.UnixMicroseconds());
            Put(deleted);
            return true;
        }
    }

    /// <summary>Tells those who hold something for the endpoint, and waits for them.</summary>
    public async Task RaiseDeletedAsync(EndpointRecord deleted)
    {
        foreach (var told in Delegate.EnumerateInvocationList(Deleted))
            await told(deleted);
    }

    /// <summary>Remembers that the endpoint was there at <paramref name="now"/> (Unix microseconds). A deleted one is left as it is.</summary>
    public void Seen(int number, long now, string version)
    {
        lock (_gate)
        {
            if (!TryGetByNumber(number, out var endpoint) || endpoint.IsDeleted)
                return;
            endpoint = endpoint with { LastSeen = now, Version = version };
            _table.Seen(endpoint);
            Put(endpoint);
        }
    }

    private void Put(EndpointRecord endpoint)
    {
        _byNumber[endpoint.Number] = endpoint;
        if (endpoint.IsDeleted)
            _byId.TryRemove((endpoint.Owner, endpoint.EndpointId), out _);
        else
            _byId[(endpoint.Owner, endpoint.EndpointId)] = endpoint;
    }
}
