using FuncX.Service.Registry;

namespace FuncX.Service.Tasks;

/// <summary>Opens the engine before the first call is taken, and ends the tasks of endpoints that are deleted.</summary>
internal sealed partial class TaskEngineHost(TaskEngine engine, EndpointCatalog endpoints, ILogger<TaskEngineHost> log) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        endpoints.Deleted += OnDeleted;
        // The service may have ended between the deletion and the end of the tasks.
        var known = await engine.LookAsync(static state => state.Endpoints.Values.Where(static endpoint => !endpoint.Deleted).Select(static endpoint => endpoint.Number).ToArray());
        foreach (var number in known)
        {
            if (endpoints.TryGetByNumber(number, out var endpoint) && !endpoints.TryGet(endpoint.Owner, endpoint.EndpointId, out _))
                await EndAsync(endpoint);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        endpoints.Deleted -= OnDeleted;
        return Task.CompletedTask;
    }

    private void OnDeleted(EndpointRecord endpoint) => _ = EndAsync(endpoint);

    private async Task EndAsync(EndpointRecord endpoint)
    {
        try
        {
            await engine.EndpointDeletedAsync(endpoint.Number, endpoint.Name);
        }
        catch (Storage.StorageFullException problem)
        {
            LogFailed(endpoint.Name, problem.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "tasks of deleted endpoint {Endpoint} could not be ended: {Problem}")]
    private partial void LogFailed(string endpoint, string problem);
}
