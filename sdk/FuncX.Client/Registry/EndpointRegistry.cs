using FuncX.Client.Connection;
using FuncX.Contracts.V1;

namespace FuncX.Client.Registry;

/// <summary>The caller's endpoints at the service. Errors are <see cref="FuncXException"/>.</summary>
public sealed class EndpointRegistry
{
    private readonly ServiceConnection _service;

    internal EndpointRegistry(ServiceConnection service) => _service = service;

    /// <summary>One endpoint by id or name, with its state.</summary>
    public Task<EndpointInfo> GetAsync(string endpoint, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Endpoints.GetAsync(new GetEndpointRequest { Endpoint = endpoint }, options), $"Endpoint '{endpoint}'", cancellation);

    /// <summary>All endpoints that the caller may use.</summary>
    public async Task<IReadOnlyList<EndpointInfo>> ListAsync(CancellationToken cancellation = default)
    {
        var reply = await _service.CallAsync(
            options => _service.Endpoints.ListAsync(new ListEndpointsRequest(), options), "Listing endpoints", cancellation);
        return reply.Endpoints;
    }

    /// <summary>Deletes an endpoint: its link is ended and every task it has not finished ends as cancelled.</summary>
    public Task DeleteAsync(EndpointId endpoint, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Endpoints.DeleteAsync(new DeleteEndpointRequest { EndpointId = endpoint.Value }, options),
        $"Deleting endpoint {endpoint}",
        cancellation);
}
