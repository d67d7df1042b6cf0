using System.Net;

namespace FuncX.Configuration;

/// <summary>Reads <c>telemetry</c> and <c>logs</c>, which the service's file and a machine's have in common.</summary>
public static class ObservationBinding
{
    private const string Off = "off";
    private const string Socket = "socket";

    /// <param name="section">The section.</param>
    /// <param name="ofService">The service traces; an endpoint has a control socket.</param>
    public static TelemetryConfiguration Telemetry(ConfigurationSection section, bool ofService)
    {
        IPEndPoint? listen = null;
        var page = section.Text("prometheus", Off, 100, text => CheckPage(text, ofService, out listen));
        var otlp = section.Section("otlp");
        var configuration = new TelemetryConfiguration
        {
            PrometheusOnSocket = !ofService && page != Off,
            PrometheusListen = listen,
            Traces = ofService ? section.Share("traces", 0) : 0,
            PushMetrics = section.Flag("push_metrics", false),
            Interval = section.OptionalDuration("interval", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            Otlp = Otlp(otlp),
        };
        if (configuration.Otlp.HeadersFile is not null && configuration.Otlp.Endpoint is { Scheme: "http", IsLoopback: false })
            otlp.Error("headers_file", "'telemetry.otlp.headers_file' holds a secret, which plain http would show to the network; write https:// in 'telemetry.otlp.endpoint'");
        return configuration;
    }

    /// <param name="section">The section.</param>
    /// <param name="ofService">The service may name a file; an endpoint's has its place.</param>
    public static LogsConfiguration Logs(ConfigurationSection section, bool ofService) => new()
    {
        Format = section.Choice("format", LogFormat.Text),
        File = ofService ? section.OptionalPath("file") : null,
        Size = section.Size("size", 10L << 20, 64L << 10, 1L << 40),
        Files = section.Integer("files", 5, 1, 1_000),
    };

    private static OtlpConfiguration Otlp(ConfigurationSection section)
    {
        Uri? endpoint = null;
        section.OptionalText("endpoint", 500, text => CheckEndpoint(text, out endpoint));
        return new OtlpConfiguration
        {
            Endpoint = endpoint,
            Protocol = section.OptionalChoice<OtlpProtocol>("protocol"),
            HeadersFile = section.OptionalPath("headers_file"),
        };
    }

    // Whoever may ask sees who works how much, and is not asked who he is: an address of the network would be open to all of it.
    private static string? CheckPage(string text, bool ofService, out IPEndPoint? listen)
    {
        listen = null;
        if (text == Off || (text == Socket && !ofService))
            return null;
        var expected = $"expected {Off}, {(ofService ? "" : $"{Socket}, ")}or a loopback address and a port, like 127.0.0.1:9464";
        if (!IPEndPoint.TryParse(text, out var address) || !text.EndsWith($":{address.Port}", StringComparison.Ordinal))
            return $"is '{text}'; {expected}";
        if (!IPAddress.IsLoopback(address.Address))
            return $"is '{text}', which others reach too, and the page asks nobody who he is; {expected}. Metrics for another machine are sent there: push_metrics";
        listen = address;
        return null;
    }

    private static string? CheckEndpoint(string text, out Uri? endpoint)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out endpoint) || endpoint.Scheme is not ("http" or "https") || endpoint.Host.Length == 0)
            return $"is '{text}'; expected an address like http://127.0.0.1:4317";
        if (endpoint.UserInfo.Length > 0)
            return "has a user or password in the address; what proves who sends belongs in headers_file";
        return endpoint.Query.Length > 0 || endpoint.Fragment.Length > 0 ? $"is '{text}'; expected scheme, host, port and at most a path" : null;
    }
}
