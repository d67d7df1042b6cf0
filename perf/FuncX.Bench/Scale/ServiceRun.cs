using System.Diagnostics;
using System.Globalization;
using FuncX.Client;

namespace FuncX.Bench.Scale;

/// <summary>The run of simulated no-ops through client and durable service.</summary>
internal static class ServiceRun
{
    // Never called: the workers are simulated.
    private const string Source = "def wait(seconds):\n    return [seconds]\n";

    /// <summary>Tasks per second, from the first argument to the last value.</summary>
    public static async Task<double> MeasureAsync(BenchSettings settings, Report report, ScaleShape shape, int tasks)
    {
        await using var cluster = await LocalCluster.StartServiceAsync();
        await cluster.AddEndpointAsync(shape.Options());
        await cluster.WaitOnlineAsync(shape.Managers);
        await Processes.DescribeAsync(cluster.Service, cluster.Endpoint, report);
        var token = (await File.ReadAllTextAsync(cluster.TokenFile)).Trim();
        var function = new FunctionId(await cluster.Api.RegisterAsync(Source, "wait"));
        await using var client = new FuncXClient(new Uri(cluster.Service.Address), token);
        var rates = new List<double>();
        var runs = settings.RunsOr(3);
        // The first two are not counted: until then three runtimes compile, beside everything else on the same processors.
        var warm = settings.Quick ? 1 : 2;
        for (var run = 0; run < warm + runs; run++)
        {
            var before = Processes.Cpu(cluster.Service, cluster.Endpoint);
            var rate = await MapAsync(client, function, new EndpointId(cluster.EndpointId), tasks);
            var (cost, each) = Processes.PerTask(before, Processes.Cpu(cluster.Service, cluster.Endpoint), tasks);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"through the service, run {run}: {tasks:#,0} no-ops, {rate:#,0}/s, {cost:0.00} us of processor each ({each})"));
            if (run >= warm)
                rates.Add(rate);
        }

        report.Note($"through the service, {shape}: {await ScaleTraffic.DescribeAsync(cluster.Endpoint, (long)(warm + runs) * tasks)}");
        return Median.Of(rates);
    }

    // A simulated worker waits for no negative time, and answers with all of its arguments.
    private static async Task<double> MapAsync(FuncXClient client, FunctionId function, EndpointId endpoint, int count)
    {
        var seen = new bool[count];
        var left = count;
        var clock = Stopwatch.StartNew();
        await foreach (var value in client.MapAsync<int, int[]>(function, endpoint, Enumerable.Range(1, count).Select(static i => -i), new MapOptions { Ordered = false }))
        {
            if (value is not [< 0 and var negative] || -negative > count || seen[-negative - 1])
                throw new InvalidDataException($"a no-op gave [{string.Join(',', value)}]");
            seen[-negative - 1] = true;
            left--;
        }

        return left == 0 ? count / clock.Elapsed.TotalSeconds : throw new InvalidDataException($"{left} of {count} no-ops gave no value");
    }
}
