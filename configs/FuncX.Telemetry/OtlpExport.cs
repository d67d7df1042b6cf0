using FuncX.Configuration;
using OpenTelemetry.Exporter;

namespace FuncX.Telemetry;

/// <summary>Where OTLP goes: what the file says, and what it leaves out as the standard variables say, which the exporter reads itself.</summary>
internal static class OtlpExport
{
    /// <param name="options">Holds what the variables say.</param>
    /// <param name="configuration">What the file says.</param>
    /// <param name="signal">The end of the path over HTTP: <c>traces</c> or <c>metrics</c>.</param>
    public static void Configure(OtlpExporterOptions options, OtlpConfiguration configuration, string signal)
    {
        if (configuration.Protocol is { } protocol)
            options.Protocol = protocol == OtlpProtocol.Grpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        // To an address that it is given in code the exporter adds no path.
        if (configuration.Endpoint is { } endpoint)
            options.Endpoint = options.Protocol == OtlpExportProtocol.HttpProtobuf ? new Uri($"{endpoint.AbsoluteUri.TrimEnd('/')}/v1/{signal}") : endpoint;
        if (configuration.HeadersFile is { } file)
            options.Headers = ReadHeaders(file);
    }

    /// <summary>The headers of a file, as <c>OTEL_EXPORTER_OTLP_HEADERS</c> has them.</summary>
    /// <exception cref="TelemetryException">It cannot be read, others may read it, or a line is no header. The message holds nothing of its contents.</exception>
    internal static string ReadHeaders(string file)
    {
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        try
        {
            if (File.GetUnixFileMode(file) is var mode && (mode & Others) != UnixFileMode.None)
                throw new TelemetryException($"telemetry.otlp.headers_file {file} holds a secret but has mode {FileModes.Octal(mode)}. Run: chmod 600 {file}");
            var headers = new List<string>();
            var number = 0;
            foreach (var line in File.ReadLines(file))
            {
                number++;
                if (line.Length == 0)
                    continue;
                var equals = line.IndexOf('=', StringComparison.Ordinal);
                if (equals <= 0)
                    throw new TelemetryException($"telemetry.otlp.headers_file {file}, line {number}: no NAME=VALUE");
                // The exporter takes the escapes away before it parts the headers from each other.
                if (line.Contains(',', StringComparison.Ordinal))
                    throw new TelemetryException($"telemetry.otlp.headers_file {file}, line {number}: a comma, which stands between headers and in none");
                headers.Add($"{line[..equals].Trim()}={Uri.EscapeDataString(line[(equals + 1)..].Trim())}");
            }

            return string.Join(',', headers);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new TelemetryException($"telemetry.otlp.headers_file {file} cannot be read: {problem.Message}", problem);
        }
    }
}
