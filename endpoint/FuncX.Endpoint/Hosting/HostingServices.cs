using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Telemetry;
using FuncX.Wire;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;

namespace FuncX.Endpoint.Hosting;

/// <summary>The capabilities of the host, one method each.</summary>
public static class HostingServices
{
    // Slurm's clients give up by themselves after MessageTimeout, 10 s to a minute and a half at large sites; Cobalt's never do.
    private static readonly TimeSpan s_commandLimit = TimeSpan.FromSeconds(100);

    /// <summary>One line per message on stderr, with its time in UTC.</summary>
    public static void AddEndpointConsole(this ILoggingBuilder logging, LogLevel level, LogFormat format)
    {
        logging.SetMinimumLevel(level);
        logging.AddFilter("Microsoft", level > LogLevel.Warning ? level : LogLevel.Warning);
        logging.AddLines(format);
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>The endpoint's metrics, when anybody wants them.</summary>
    public static void AddMetrics(this IServiceCollection services, EndpointConfiguration configuration)
    {
        if (!configuration.Telemetry.HasMetrics)
            return;
        services.AddSingleton(provider => Pipelines.Metrics(
            configuration.Telemetry, EndpointMetrics.Program, ProtocolVersion.Product, provider.GetRequiredService<EndpointIdentity>().EndpointId, EndpointMetrics.MeterName)!);
        services.AddSingleton<EndpointMetrics>();
    }

    /// <summary>Begins to collect; the page of metrics is on the control socket, and on its own listener when there is one, which serves nothing else.</summary>
    public static void UseMetrics(this WebApplication app)
    {
        if (app.Services.GetService<MeterProvider>() is not { } metrics)
            return;
        app.Services.GetRequiredService<EndpointMetrics>();
        var telemetry = app.Services.GetRequiredService<EndpointConfiguration>().Telemetry;
        if (telemetry.PrometheusListen is not null)
            app.UseMetricsListener(metrics);
        if (telemetry.PrometheusOnSocket)
            app.UseMetricsPage(metrics);
    }

    /// <summary>Blocks and the provider that the configuration names.</summary>
    public static void AddBlocks(this IServiceCollection services, EndpointConfiguration configuration, ManagerProgram manager)
    {
        services.AddSingleton(manager);
        services.AddSingleton<IBlockProvider>(provider => BatchSchedulers.Of(configuration) is { } scheduler
            ? new BatchProvider(scheduler, new CommandRunner(s_commandLimit), configuration.Provider.PollInterval, provider.GetRequiredService<TimeProvider>())
            : LocalProviders.Of(configuration, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<BlockSupervisor>();
        services.AddHostedService(provider => provider.GetRequiredService<BlockSupervisor>());
    }
}
