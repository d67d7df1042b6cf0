namespace FuncX.Bench.Throughput;

/// <summary>Reads the pages of metrics once a second, as Prometheus would at its busiest.</summary>
internal sealed class Watcher : IAsyncDisposable
{
    /// <summary>Port 9 (discard) of loopback: nobody receives the traces, which costs more than somebody who does.</summary>
    public const string ServiceYaml = "telemetry: {prometheus: \"127.0.0.1:0\", traces: 0.001, otlp: {endpoint: \"http://127.0.0.1:9\"}}";

    public const string EndpointYaml = "telemetry: {prometheus: \"127.0.0.1:0\"}";

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly HttpClient _http = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _reading;

    public Watcher(LocalCluster cluster) => _reading = ReadAsync([new Uri(cluster.Service.Metrics), new Uri(cluster.Endpoint.Metrics)]);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _ending.Dispose();
    }

    private async Task ReadAsync(Uri[] pages)
    {
        using var timer = new PeriodicTimer(s_pause);
        while (await timer.WaitForNextTickAsync(_ending.Token))
        {
            foreach (var page in pages)
                await _http.GetByteArrayAsync(page, _ending.Token);
        }
    }
}
