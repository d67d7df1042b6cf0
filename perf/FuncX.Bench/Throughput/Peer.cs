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

    /// <summary>Map, submissions and single calls of one of the two; null when it is not installed.</summary>
    /// <param name="program">Of <c>perf/peers</c>: <c>process_pool.py</c> or <c>dask_noop.py</c>.</param>
    public static async Task<PeerRates?> AllAsync(string program, int tasks, int workers, int calls)
    {
        using var answer = await RunAsync(program, tasks, workers, calls);
        return answer is null
            ? null
            : new PeerRates(
                answer.RootElement.GetProperty("map").GetDouble(),
                answer.RootElement.GetProperty("tasks_per_s").GetDouble(),
                answer.RootElement.GetProperty("p50_ms").GetDouble());
    }

    private static async Task<JsonDocument?> RunAsync(string program, params int[] numbers)
    {
        var directory = LocalCluster.NewDirectory("peer");
        var (exitCode, output) = await Daemon.RunAsync(
            ["/usr/bin/python3", Path.Combine(AppContext.BaseDirectory, "peers", program), .. numbers.Select(static number => number.ToString(CultureInfo.InvariantCulture))],
            Path.Combine(directory, "peer.log"),
            TimeSpan.FromMinutes(3));
        Directory.Delete(directory, recursive: true);
        var line = output.TrimEnd().Split('\n')[^1];
        return exitCode == 0 && line.StartsWith('{') ? JsonDocument.Parse(line) : null;
    }
}
