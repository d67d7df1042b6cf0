using FuncX.Service.Tasks;

namespace FuncX.Service.Observation;

/// <summary>What the service and its endpoints together have at one moment.</summary>
public sealed record ServiceFigures
{
    public long Queued { get; init; }

    public long Dispatched { get; init; }

    public int Links { get; init; }

    public int EndpointsOnline { get; init; }

    public int Blocks { get; init; }

    public int Managers { get; init; }

    public int Workers { get; init; }

    public int WorkersBusy { get; init; }

    public long ResultsHeld { get; init; }

    public long SpoolBytes { get; init; }

    /// <summary>Adds up what the endpoints have. Between two events of the engine.</summary>
    public static ServiceFigures Of(LiveState state)
    {
        var sum = new ServiceFigures();
        foreach (var endpoint in state.Endpoints.Values)
        {
            sum = sum with { Queued = sum.Queued + endpoint.Queued, Dispatched = sum.Dispatched + endpoint.Dispatched };
            if (endpoint.Link is not { } link)
                continue;
            sum = sum with { Links = sum.Links + 1, EndpointsOnline = sum.EndpointsOnline + (link.Reconciled ? 1 : 0) };
            if (link.Status is not { } said)
                continue;
            sum = sum with
            {
                Blocks = sum.Blocks + said.BlocksRunning,
                Managers = sum.Managers + said.Managers,
                Workers = sum.Workers + said.Workers,
                WorkersBusy = sum.WorkersBusy + said.WorkersBusy,
                ResultsHeld = sum.ResultsHeld + said.ResultsHeld,
                SpoolBytes = sum.SpoolBytes + said.SpoolBytes,
            };
        }

        return sum;
    }
}

/// <summary>Looks at the figures once a second: whoever collects metrics must not wait for the engine.</summary>
public sealed class FiguresWatch(TaskEngine engine, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    private volatile ServiceFigures _last = new();

    /// <summary>A second old at most.</summary>
    public ServiceFigures Last => _last;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_pause, time);
        try
        {
            do
                _last = await engine.LookAsync(ServiceFigures.Of).AsTask().WaitAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The service stops.
        }
    }
}
