using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FuncX.Endpoint.Hosting;

/// <summary>Where managers dial in, known once the listeners are bound.</summary>
public sealed class EndpointAddresses
{
    private readonly List<ListenOptions> _listeners = [];

    /// <summary>host:port of each listener; empty before they are bound.</summary>
    public IReadOnlyList<string> Bound => [.. EndPoints.Select(endpoint => endpoint.ToString())];

    /// <summary>The first listener's port, 0 before it is bound.</summary>
    public int Port => EndPoints.FirstOrDefault()?.Port ?? 0;

    private IEnumerable<IPEndPoint> EndPoints => _listeners.Select(listener => listener.IPEndPoint).OfType<IPEndPoint>().Where(endpoint => endpoint.Port != 0);

    /// <summary>Kestrel puts the port it was given into these options when it binds.</summary>
    internal void Add(ListenOptions listener) => _listeners.Add(listener);
}
