using System.Net;

namespace FuncX.Configuration;

/// <summary>The <c>telemetry</c> section, in the service's file and in a machine's: what is told of the process, and to whom. Nothing by default.</summary>
public sealed record TelemetryConfiguration
{
    /// <summary>Serves a page of metrics for Prometheus on the control socket. Endpoints only; also on with <see cref="PrometheusListen"/>.</summary>
    public bool PrometheusOnSocket { get; init; }

    /// <summary>A loopback address that serves the page over plain HTTP/1.1, at <c>/metrics</c>; null: none. Port 0: any free one.</summary>
    public IPEndPoint? PrometheusListen { get; init; }

    /// <summary>Share of the tasks that become a trace, 0 to 1. The service only: it alone sees all hops of a task, and its outcome once.</summary>
    public double Traces { get; init; }

    /// <summary>Sends metrics by OTLP.</summary>
    public bool PushMetrics { get; init; }

    /// <summary>How often metrics are sent; null: what <c>OTEL_METRIC_EXPORT_INTERVAL</c> says, else each minute.</summary>
    public TimeSpan? Interval { get; init; }

    /// <summary>Where traces and metrics are sent.</summary>
    public OtlpConfiguration Otlp { get; init; } = new();

    /// <summary>Whether metrics are taken at all.</summary>
    public bool HasMetrics => PrometheusOnSocket || PrometheusListen is not null || PushMetrics;
}

/// <summary>The <c>telemetry.otlp</c> section. What it leaves out the standard variables <c>OTEL_EXPORTER_OTLP_*</c> say.</summary>
public sealed record OtlpConfiguration
{
    /// <summary>The receiver's address without a path of traces or metrics; null: the variables', else OTLP's own default on this machine.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Null: the variables', else gRPC.</summary>
    public OtlpProtocol? Protocol { get; init; }

    /// <summary>A file of mode 0600 with a line <c>NAME=VALUE</c> for each header of a request: what proves who sends. Null: the variables'.</summary>
    public string? HeadersFile { get; init; }
}

/// <summary>How OTLP travels.</summary>
public enum OtlpProtocol
{
    /// <summary>gRPC.</summary>
    Grpc,

    /// <summary>Protobuf messages over HTTP/1.1.</summary>
    HttpProtobuf,
}
