using FuncX.Contracts.V1;
using FuncX.Service.Tasks;

namespace FuncX.Service.Links;

/// <summary>What is known of an endpoint at this moment. Times are Unix microseconds.</summary>
public sealed record Presence(bool Online, long LastSeen, uint Epoch, string Version, EndpointStatus? Status, long Queued, long Dispatched);

/// <summary>Answers which endpoints are online and what waits for them. Safe for any thread.</summary>
public sealed class EndpointPresence(TaskEngine engine)
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<int, LinkSession> _last = new();

    /// <summary>Remembers an endpoint's newest link, also after it has ended.</summary>
    /// <returns>The one before.</returns>
    internal LinkSession? Remember(int endpoint, LinkSession link)
    {
        var older = _last.GetValueOrDefault(endpoint);
        _last[endpoint] = link;
        return older;
    }

    /// <summary>What is known of the endpoint with that number; all zero when it never connected and nothing waits.</summary>
    public async ValueTask<Presence> GetAsync(int endpoint)
    {
        var (online, epoch, queued, dispatched) = await engine.LookAsync(state => state.Endpoints.TryGetValue(endpoint, out var known)
            ? (known.Link is { Reconciled: true }, known.Epoch, known.Queued, known.Dispatched)
            : (false, 0u, 0L, 0L));
        var link = _last.GetValueOrDefault(endpoint);
        return new Presence(online, link?.LastHeard ?? 0, epoch, link?.Version ?? "", link?.Status, queued, dispatched);
    }
}
