using System.Globalization;
using System.Text.Json;

namespace FuncX.Bench.Throughput;

/// <summary>Other systems on the same machine, each a Python program of <c>perf/peers</c> that prints one line of JSON.</summary>
internal static class Peer
{
    /// <summary>Tasks per second of <c>concurrent.futures.ProcessPoolExecutor</c>, submitting each.</summary>
    public static async Task<double?> ProcessPoolAsync(int tasks, int workers)
    {
        using var answer = await RunAsync("process_pool.py", tasks, workers);
        return answer?.RootElement.GetProperty("tasks_per_s").GetDouble();
    }

    /// <summary>Tasks per second of Dask distributed; null when it is not installed.</summary>
    public static async Task<DaskRates?> DaskAsync(int tasks, int workers)
    {
        using var answer = await RunAsync("dask_noop.py", tasks, workers);
        return answer is null
            ? null
            : new DaskRates(
                answer.RootElement.GetProperty("version").GetString()!,
                answer.RootElement.GetProperty("tuned").GetDouble(),
                answer.RootElement.GetProperty("as_shipped").GetDouble());
    }

    private static async Task<JsonDocument?> RunAsync(string program, int tasks, int workers)
    {
        var directory = LocalCluster.NewDirectory("peer");
        var (exitCode, output) = await Daemon.RunAsync(
            ["/usr/bin/python3", Path.Combine(AppContext.BaseDirectory, "peers", program), tasks.ToString(CultureInfo.InvariantCulture), workers.ToString(CultureInfo.InvariantCulture)],
            Path.Combine(directory, "peer.log"),
            TimeSpan.FromMinutes(3));
        Directory.Delete(directory, recursive: true);
        var line = output.TrimEnd().Split('\n')[^1];
        return exitCode == 0 && line.StartsWith('{') ? JsonDocument.Parse(line) : null;
    }
}
