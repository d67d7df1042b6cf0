using System.Globalization;
using System.Text.Json;

namespace FuncX.Bench.PythonSdk;

/// <summary><c>perf/clients/python_sdk.py</c>: one CPython program that uses the SDK as anybody does, on the interpreter and the libraries of the system.</summary>
internal sealed class SdkProgram(LocalCluster cluster, string sdk)
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Whether the SDK can be imported; if not, what is missing.</summary>
    public async Task<string?> MissingAsync()
    {
        var (exitCode, output) = await StartAsync("-c", "import funcx");
        return exitCode == 0 ? null : output.TrimEnd().Split('\n')[^1];
    }

    /// <summary>Runs it once; every value was compared with what the arguments say.</summary>
    /// <param name="what">map, submit or single.</param>
    public async Task<SdkRun> RunAsync(string what, int calls)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "clients", "python_sdk.py");
        var (exitCode, output) = await StartAsync(
            program, what, cluster.Service.Address, cluster.TokenFile, cluster.EndpointId, calls.ToString(CultureInfo.InvariantCulture));
        var line = output.TrimEnd().Split('\n')[^1];
        if (exitCode != 0 || !line.StartsWith('{'))
            throw new InvalidOperationException($"{program} {what} ended with {exitCode}:\n{output}");
        using var answer = JsonDocument.Parse(line);
        var root = answer.RootElement;
        var (count, scrambled) = (root.GetProperty("count").GetInt32(), ulong.Parse(root.GetProperty("scrambled").GetString()!, CultureInfo.InvariantCulture));
        if (count != calls || scrambled != Scrambled(calls))
            throw new InvalidDataException($"{calls} no-ops gave {count} values which add up to {scrambled}: not the arguments");
        return new SdkRun(
            Number(root, "tasks_per_s"), Number(root, "p50_ms"), Number(root, "p99_ms"), Number(root, "cpu_us_per_task"),
            root.TryGetProperty("hops_us", out var hops)
                ? string.Join(", ", hops.EnumerateObject().Select(static hop => string.Create(CultureInfo.InvariantCulture, $"{hop.Name} {hop.Value.GetDouble():0}")))
                : "",
            root.GetProperty("versions").GetString()!);
    }

    private static double Number(JsonElement answer, string name) => answer.TryGetProperty(name, out var value) ? value.GetDouble() : double.NaN;

    /// <summary>What the values 0 .. count-1 add up to in this order, as the program has it.</summary>
    private static ulong Scrambled(int count)
    {
        ulong total = 0;
        for (ulong value = 0; value < (ulong)count; value++)
            total += (value + 1) * ((value * 0x9E3779B97F4A7C15) ^ (value >> 7));
        return total;
    }

    private async Task<(int ExitCode, string Output)> StartAsync(params string[] arguments)
    {
        var directory = LocalCluster.NewDirectory("sdk");
        try
        {
            return await Daemon.RunAsync(
                [Python, .. arguments], Path.Combine(directory, "client.log"), TimeSpan.FromMinutes(3), new Dictionary<string, string?>(StringComparer.Ordinal) { ["PYTHONPATH"] = sdk });
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
