using FuncX.Service.Registry;
using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>Opens the engine before the first call is taken, and ends the tasks of endpoints that are deleted.</summary>
internal sealed partial class TaskEngineHost(TaskEngine engine, EndpointCatalog endpoints, ILogger<TaskEngineHost> log) : IHostedService, IDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        endpoints.Deleted += OnDeletedAsync;
        // The service may have ended between the deletion and the end of the tasks.
        var known = await engine.LookAsync(static state => state.Endpoints.Values.Where(static endpoint => !endpoint.Deleted || endpoint.Unfinished.Count > 0).Select(static endpoint => endpoint.Number).ToArray());
        foreach (var number in known)
        {
            if (endpoints.TryGetByNumber(number, out var endpoint) && endpoint.IsDeleted)
                _ = RetryAsync(endpoint);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        endpoints.Deleted -= OnDeletedAsync;
        return _stopping.CancelAsync();
    }

    public void Dispose() => _stopping.Dispose();

    private async Task OnDeletedAsync(EndpointRecord endpoint)
    {
        try
        {
            await engine.EndpointDeletedAsync(endpoint.Number, endpoint.Name);
        }
        catch (StorageFullException problem)
        {
            LogFailed(endpoint.Name, problem.Message);
            _ = RetryAsync(endpoint);
            throw;
        }
    }

    /// <summary>Until there is room for the end of the tasks.</summary>
    private async Task RetryAsync(EndpointRecord endpoint)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await engine.EndpointDeletedAsync(endpoint.Number, endpoint.Name);
                return;
            }
            catch (StorageFullException)
            {
                await Task.Delay(_pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "tasks of deleted endpoint {Endpoint} could not be ended: {Problem}")]
    private partial void LogFailed(string endpoint, string problem);
}
