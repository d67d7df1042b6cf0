using FuncX.Configuration;
using FuncX.Wire;

namespace FuncX.Tests.Unit;

/// <summary>An endpoint with its link, between a service and the managers that the test plays.</summary>
internal sealed class EndpointSystem : IAsyncDisposable
{
    private EndpointHarness? _endpoint;
    private PlayedManager? _manager;
    private bool _isAlone;

    private EndpointSystem(PlayedService service) => Service = service;

    /// <summary>The batch that all tasks are of.</summary>
    public static BatchId Batch { get; } = BatchId.New(1_700_000_000_000);

    public PlayedService Service { get; private set; }

    /// <summary>The first link.</summary>
    public PlayedLink Link { get; private set; } = null!;

    public EndpointHarness Endpoint => _endpoint!;

    /// <summary>Of one that was started with it.</summary>
    public PlayedManager Manager => _manager!;

    /// <summary>Starts it without a manager.</summary>
    public static async Task<EndpointSystem> LinkedAsync(Func<EndpointConfiguration, EndpointConfiguration>? change = null)
    {
        var system = new EndpointSystem(await PlayedService.StartAsync());
        try
        {
            system._endpoint = await EndpointHarness.StartAsync(system.Service.Address, EndpointHarness.NewDirectory(), change);
            system.Link = await system.Service.LinkAsync();
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it with a manager.</summary>
    public static async Task<EndpointSystem> StartAsync(Func<EndpointConfiguration, EndpointConfiguration>? change = null)
    {
        var system = await LinkedAsync(change);
        try
        {
            system._manager = await system.Endpoint.ManagerAsync();
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Tells of the function and the owner, and sends tasks of theirs.</summary>
    public async Task TasksAsync(uint first, int count, int bytes = 8)
    {
        await Link.TellAsync();
        await Link.TasksAsync(Batch, first, count, bytes);
    }

    /// <summary>The service goes away, and the endpoint has seen it.</summary>
    public async Task EndServiceAsync()
    {
        Link.Over.SetResult();
        await Service.DisposeAsync();
        _isAlone = true;
        await Eventually.True(() => !Endpoint.Loop.Snapshot.Online);
    }

    /// <summary>It is back, where it was.</summary>
    public async Task<PlayedService> RestartServiceAsync()
    {
        Service = await PlayedService.StartAsync(Service.Port);
        _isAlone = false;
        return Service;
    }

    public void Deconstruct(out EndpointHarness endpoint, out PlayedLink link, out PlayedManager manager) => (endpoint, link, manager) = (Endpoint, Link, Manager);

    public async ValueTask DisposeAsync()
    {
        if (_manager is not null)
            await _manager.DisposeAsync();
        if (_endpoint is not null)
            await _endpoint.DisposeAsync();
        if (!_isAlone)
            await Service.DisposeAsync();
    }
}
