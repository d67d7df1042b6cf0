using System.Net;
using FuncX.Configuration;
using FuncX.Service.Limits;

namespace FuncX.Service.Hosting;

/// <summary>What a running service was told: command line over service.yaml over defaults.</summary>
/// <param name="DataDirectory">The one directory with everything the service keeps; absolute.</param>
public sealed record ServiceSettings(string DataDirectory, ServiceLimits Limits)
{
    /// <summary>Port 0: any free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>Needed on every address but loopback; used on loopback too when given.</summary>
    public CertificateSettings? Certificate { get; init; }

    /// <summary>Everything that the service measures, but how long its own steps take, goes by it.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What it tells of itself, and to whom.</summary>
    public TelemetryConfiguration Telemetry { get; init; } = new();

    /// <summary>How its log is written, and where.</summary>
    public LogsConfiguration Logs { get; init; } = new();

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>One line for every call. Off by default: it costs more than most calls.</summary>
    public bool RequestLog { get; init; }
}
