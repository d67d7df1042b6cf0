using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FuncX.Client;
using FuncX.Contracts.V1;
using Google.Protobuf;

namespace FuncX.Bench.Throughput;

/// <summary>
/// Calls of the other kinds, as many at a time as there are workers, on an endpoint without Python. Commands beside <c>xargs -P</c>, which starts the same program as often,
/// and beside a shell that starts one after the other: a process is what a call of a command costs at least.
/// </summary>
internal static class KindThroughput
{
    public static async Task RunAsync(BenchSettings settings, Report report)
    {
        await using var cluster = await LocalCluster.StartAsync(new EndpointOptions { WorkersPerNode = settings.Workers, Python = "/no/python" });
        await Processes.DescribeAsync(cluster.Service, cluster.Endpoint, report);
        var token = (await File.ReadAllTextAsync(cluster.TokenFile)).Trim();
        var endpoint = new EndpointId(cluster.EndpointId);
        await using var client = new FuncXClient(new Uri(cluster.Service.Address), token);
        if (settings.Kind == "command")
            await CommandsAsync(settings, report, client, endpoint);
        else
            await DotnetAsync(settings, report, cluster, client, endpoint);
        var left = await cluster.StopAsync();
        if (left.Count > 0)
            throw new InvalidOperationException($"{left.Count} processes are left after a clean stop: {string.Join(", ", left.Select(static entry => entry.Pid))}");
    }

    private static async Task CommandsAsync(BenchSettings settings, Report report, FuncXClient client, EndpointId endpoint)
    {
        var function = await client.Functions.RegisterCommandAsync("print", """{"command": ["/usr/bin/printf", "%s", "{x}"]}""");
        var tasks = settings.TasksOr(5_000, 500);
        List<double> rates = [], starts = [], ratios = [];
        for (var run = 0; run <= settings.RunsOr(3); run++)
        {
            var clock = Stopwatch.StartNew();
            long number = 0;
            await foreach (var value in client.MapAsync<long, JsonElement>(function, endpoint, Numbers(tasks)))
            {
                if (value.GetProperty("returncode").GetInt32() != 0 || value.GetProperty("stdout").GetString() != number.ToString(CultureInfo.InvariantCulture))
                    throw new InvalidDataException($"command {number} gave {value}");
                number++;
            }

            if (number != tasks)
                throw new InvalidDataException($"{tasks} commands gave {number} values");
            var rate = tasks / clock.Elapsed.TotalSeconds;
            var xargs = await ShellAsync($"seq 1 {tasks} | xargs -P{settings.Workers} -n1 /usr/bin/printf '%s\\n' | wc -l", tasks);
            var start = await ShellAsync($"for i in $(seq 1 {tasks}); do /usr/bin/printf '%s\\n' $i; done | wc -l", tasks);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"run {run}: {rate:#,0} commands/s; xargs -P{settings.Workers} {xargs:#,0}/s; a shell, one after the other {start:#,0}/s"));
            if (run == 0)
                continue;
            rates.Add(rate);
            starts.Add(start);
            ratios.Add(rate / xargs);
        }

        report.Figure("commands_per_s", Median.Of(rates));
        report.Figure("vs_xargs", Median.Of(ratios));
        report.Figure("bare_starts_per_s", Median.Of(starts));
    }

    private static async Task DotnetAsync(BenchSettings settings, Report report, LocalCluster cluster, FuncXClient client, EndpointId endpoint)
    {
        var assembly = await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "FuncX.Samples.dll"));
        var request = new RegisterFunctionRequest { Kind = FunctionKind.Dotnet, Name = "Square", Entry = "FuncX.Samples::FuncX.Samples.Numbers::Square", Code = ByteString.CopyFrom(assembly) };
        var function = new FunctionId((await cluster.Api.Functions.RegisterAsync(request, cluster.Api.Headers)).FunctionId);
        var tasks = settings.TasksOr(200_000, 2_000);
        List<double> rates = [], costs = [];
        for (var run = 0; run <= settings.RunsOr(3); run++)
        {
            var before = Processes.Cpu(cluster.Service, cluster.Endpoint);
            var clock = Stopwatch.StartNew();
            long number = 0;
            await foreach (var value in client.MapAsync<long, long>(function, endpoint, Numbers(tasks)))
            {
                if (value != number * number)
                    throw new InvalidDataException($"Square({number}) gave {value}");
                number++;
            }

            if (number != tasks)
                throw new InvalidDataException($"{tasks} calls gave {number} values");
            var rate = tasks / clock.Elapsed.TotalSeconds;
            var (cost, each) = Processes.PerTask(before, Processes.Cpu(cluster.Service, cluster.Endpoint), tasks);
            report.Print(string.Create(CultureInfo.InvariantCulture, $"run {run}: {rate:#,0} .NET calls/s, {cost:0.0} us of processor each ({each})"));
            if (run == 0)
                continue;
            rates.Add(rate);
            costs.Add(cost);
        }

        report.Figure("dotnet_calls_per_s", Median.Of(rates));
        report.Figure("dotnet_cpu_us_per_call", Median.Of(costs));
    }

    private static IEnumerable<long> Numbers(int count)
    {
        for (long number = 0; number < count; number++)
            yield return number;
    }

    // What it counts says that every process ran.
    private static async Task<double> ShellAsync(string script, int count)
    {
        var clock = Stopwatch.StartNew();
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var counted = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        return counted.Trim() == count.ToString(CultureInfo.InvariantCulture) ? count / clock.Elapsed.TotalSeconds : throw new InvalidDataException($"{script} counted {counted}");
    }
}
