using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace FuncX.Tests.Integration.Observation;

/// <summary>Debian's Prometheus on a free loopback port, with a directory of its own; it scrapes once a second.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    public const string Program = "/usr/bin/prometheus";

    private static readonly HttpClient s_http = new();
    private readonly Daemon _daemon;
    private readonly Uri _address;

    private PrometheusServer(Daemon daemon, Uri address) => (_daemon, _address) = (daemon, address);

    /// <param name="directory">Made for it.</param>
    /// <param name="targets">A job's name and the page that it scrapes.</param>
    public static async Task<PrometheusServer> StartAsync(string directory, params (string Job, Uri Page)[] targets)
    {
        Directory.CreateDirectory(directory);
        var file = Path.Combine(directory, "prometheus.yml");
        var jobs = targets.Select(static target => $"  - {{job_name: {target.Job}, static_configs: [{{targets: ['{target.Page.Authority}']}}]}}\n");
        await File.WriteAllTextAsync(file, $"global: {{scrape_interval: 1s}}\nscrape_configs:\n{string.Concat(jobs)}");
        var port = FreePort();
        var daemon = Daemon.Start(
            [
                Program, $"--config.file={file}", $"--storage.tsdb.path={Path.Combine(directory, "data")}", "--log.level=warn",
                string.Create(CultureInfo.InvariantCulture, $"--web.listen-address=127.0.0.1:{port}"),
            ],
            Path.Combine(directory, "prometheus.log"));
        var server = new PrometheusServer(daemon, new Uri($"http://127.0.0.1:{port}"));
        await Eventually.TrueAsync(server.IsReadyAsync, "Prometheus is ready", seen: () => daemon.Tail);
        return server;
    }

    /// <summary>What a query gives at this moment: the value of each series.</summary>
    /// <exception cref="InvalidOperationException">Prometheus refuses the query; the message says why.</exception>
    public async Task<IReadOnlyList<double>> QueryAsync(string query)
    {
        using var answer = await s_http.GetAsync(new Uri(_address, $"/api/v1/query?query={Uri.EscapeDataString(query)}"));
        using var document = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync());
        if (document.RootElement.GetProperty("status").GetString() != "success")
            throw new InvalidOperationException($"{query}: {document.RootElement.GetProperty("error").GetString()}");
        return [.. document.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(static series => double.Parse(series.GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture))];
    }

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await s_http.GetAsync(new Uri(_address, "/-/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
