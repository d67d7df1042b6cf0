using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Core;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.ServiceLink;
using FuncX.Endpoint.Spool;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace FuncX.Endpoint.Dispatch;

/// <summary>The endpoint's data path: the loop, the link to the service, the managers' connections and the spool.</summary>
public static class DispatchServices
{
    // Of a job a twentieth, but no less and no more than this: its first moments, until managers are there, and its last ones, when they answer for what they ended.
    private static readonly TimeSpan s_leastNotForTasks = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_mostNotForTasks = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Adds it. Needs <see cref="EndpointConfiguration"/>, <see cref="EndpointIdentity"/> and <see cref="BlockSupervisor"/>; the host binds
    /// <see cref="ManagerConnectionHandler"/> to a listener with TLS.
    /// </summary>
    public static IServiceCollection AddDispatch(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => SettingsOf(provider.GetRequiredService<EndpointConfiguration>()));
        services.AddSingleton<BufferPool>();
        services.AddSingleton<HopCounter>();
        services.AddSingleton<ResultRoom>();
        services.AddSingleton<EndpointExit>();
        services.AddSingleton<Dispatcher>();
        services.AddSingleton(provider => provider.GetRequiredService<Dispatcher>().Survivors);
        services.AddSingleton<EndpointLoop>();
        services.AddSingleton<IBlockObserver, BlockEvents>();
        services.AddSingleton<ManagerConnectionHandler>();
        services.AddSingleton(provider => new SpoolStore(
            provider.GetRequiredService<EndpointConfiguration>(),
            provider.GetRequiredService<EndpointIdentity>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<SpoolWriter>();
        services.AddHostedService(provider => provider.GetRequiredService<SpoolWriter>());
        services.AddSingleton<ExecutionLog>();
        services.AddHostedService(provider => provider.GetRequiredService<ExecutionLog>());
        services.AddSingleton(provider => new DispatchLifetime(
            provider.GetRequiredService<EndpointLoop>(),
            provider.GetRequiredService<Dispatcher>(),
            provider.GetRequiredService<BlockSupervisor>(),
            provider.GetRequiredService<SpoolWriter>(),
            provider.GetRequiredService<ExecutionLog>(),
            provider.GetRequiredService<EndpointExit>(),
            provider.GetRequiredService<EndpointConfiguration>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<DispatchLifetime>>()));
        services.AddHostedService(provider => provider.GetRequiredService<DispatchLifetime>());
        services.AddHostedService<LinkClient>();
        return services;
    }

    // A job of an allocation has begun already: what is left of it only its managers know, and a later start may have a longer one.
    private static long LongestTask(ProviderConfiguration provider) => provider is { Type: ProviderKind.Slurm or ProviderKind.Pbs or ProviderKind.Cobalt, Walltime: { } walltime }
        ? (long)(walltime - NotForTasks(walltime)).TotalMicroseconds
        : long.MaxValue;

    private static TimeSpan NotForTasks(TimeSpan walltime) => TimeSpan.FromTicks(Math.Clamp(walltime.Ticks / 20, s_leastNotForTasks.Ticks, s_mostNotForTasks.Ticks));

    /// <summary>The core's settings for a configuration.</summary>
    public static CoreSettings SettingsOf(EndpointConfiguration configuration) => new()
    {
        WorkersPerManager = configuration.Workers.PerNode,
        ManagersPerBlock = (configuration.Provider.Nodes - (configuration.Launcher?.LeadersOnly(configuration.Provider.Nodes) ?? 0)) * configuration.Workers.ManagersPerNode,
        Prefetch = configuration.Workers.Prefetch,
        BlocksMin = configuration.Blocks.Min,
        BlocksInit = configuration.Blocks.Init,
        BlocksMax = configuration.Blocks.Max,
        Parallelism = configuration.Blocks.Parallelism,
        BlockIdle = (long)configuration.Blocks.Idle.TotalMicroseconds,
        LongestTask = LongestTask(configuration.Provider),
        HeartbeatTimeout = ManagerConnectionHandler.HeartbeatMilliseconds * 5_000L,
        BlockPrefix = BlockSupervisor.NewBlockId() + "-",
    };
}
