using FuncX.Telemetry;
using OpenTelemetry.Metrics;

namespace FuncX.Service.Observation;

public static class ObservationServices
{
    /// <summary>Metrics and traces, as far as the settings want them; what nobody wants costs nothing.</summary>
    public static IServiceCollection AddObservation(this IServiceCollection services, Hosting.ServiceSettings settings)
    {
        // Before what it traces: hosted services are stopped in the other order, and what ends last is traced too.
        if (settings.Telemetry.Traces > 0)
            services.AddSingleton<TaskTraces>().AddHostedService(static provider => provider.GetRequiredService<TaskTraces>());
        if (settings.Telemetry.HasMetrics)
        {
            services.AddSingleton(_ => Pipelines.Metrics(settings.Telemetry, ServiceMetrics.Program, Wire.ProtocolVersion.Product, ServiceMetrics.Instance(settings), ServiceMetrics.MeterName)!);
            services.AddSingleton<FiguresWatch>().AddHostedService(static provider => provider.GetRequiredService<FiguresWatch>());
            services.AddSingleton(static provider => new ServiceMetrics(
                provider.GetRequiredService<Tasks.TaskEngine>(), provider.GetRequiredService<FiguresWatch>(), provider.GetRequiredService<Registry.EndpointCatalog>(), provider.GetService<TaskTraces>(), provider.GetRequiredService<MeterProvider>()));
        }

        return services;
    }

    /// <summary>Begins to collect metrics; their page gets its listener's requests. Before the routing.</summary>
    public static void UseMetrics(this WebApplication application)
    {
        if (application.Services.GetService<MeterProvider>() is { } metrics && application.Services.GetRequiredService<Hosting.ServiceSettings>().Telemetry.PrometheusListen is not null)
            application.UseMetricsListener(metrics);
    }

    /// <summary>Measures calls. Behind the routing.</summary>
    public static void UseRequestMetrics(this WebApplication application)
    {
        // Made with the first request's pipeline: by then the engine that it asks is open.
        if (application.Services.GetService<MeterProvider>() is not null)
            application.UseMiddleware<RequestMetricsMiddleware>();
    }
}
