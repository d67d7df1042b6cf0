using FuncX.Configuration;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FuncX.Telemetry;

/// <summary>What carries a process's metrics and traces to whoever wants them.</summary>
public static class Pipelines
{
    /// <summary>The runtime's own meter: memory, processor time, collections.</summary>
    private const string Runtime = "System.Runtime";

    /// <summary>Sees before anything starts whether what the file names can be used.</summary>
    /// <exception cref="TelemetryException">The receiver's headers cannot be read.</exception>
    public static void Check(TelemetryConfiguration configuration)
    {
        if ((configuration.PushMetrics || configuration.Traces > 0) && configuration.Otlp.HeadersFile is { } file)
            OtlpExport.ReadHeaders(file);
    }

    /// <summary>Metrics of the named meter and of the runtime; null: nobody wants any. Disposing it sends what is left.</summary>
    /// <param name="instance">Tells processes of the same program apart: an endpoint's id, a service's address.</param>
    /// <exception cref="TelemetryException">The headers cannot be read.</exception>
    public static MeterProvider? Metrics(TelemetryConfiguration configuration, string program, string version, string instance, string meter)
    {
        if (!configuration.HasMetrics)
            return null;
        var builder = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(Resource(program, version, instance)).AddMeter(meter, Runtime);
        if (configuration.PrometheusOnSocket || configuration.PrometheusListen is not null)
            builder.AddPrometheusExporter(static page => page.ScopeInfoEnabled = false);
        if (configuration.PushMetrics)
        {
            builder.AddOtlpExporter((exporter, reader) =>
            {
                OtlpExport.Configure(exporter, configuration.Otlp, "metrics");
                if (configuration.Interval is { } interval)
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)interval.TotalMilliseconds;
            });
        }

        return builder.Build();
    }

    /// <summary>Sends every span of these sources: which tasks become one is decided before. Disposing it sends what is left.</summary>
    /// <inheritdoc cref="Metrics" path="/param"/>
    /// <inheritdoc cref="Metrics" path="/exception"/>
    public static TracerProvider Traces(TelemetryConfiguration configuration, string program, string version, string instance, string[] sources) =>
        Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(Resource(program, version, instance))
            .SetSampler(new AlwaysOnSampler())
            .AddSource(sources)
            .AddOtlpExporter(exporter => OtlpExport.Configure(exporter, configuration.Otlp, "traces"))
            .Build();

    // Last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
    private static ResourceBuilder Resource(string program, string version, string instance) => ResourceBuilder.CreateEmpty()
        .AddService(program, serviceNamespace: "funcx", serviceVersion: version, autoGenerateServiceInstanceId: false, serviceInstanceId: instance)
        .AddTelemetrySdk()
        .AddAttributes([new("host.name", Environment.MachineName)])
        .AddEnvironmentVariableDetector();
}
