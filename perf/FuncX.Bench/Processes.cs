using System.Globalization;
using System.Text.Json;
using FuncX.Contracts;
using Microsoft.Data.Sqlite;

namespace FuncX.Bench;

/// <summary>The processes that a bench measures: which they are, what they use, how they are set.</summary>
internal static class Processes
{
    /// <summary>Processor seconds by kind of process, this one included as the client.</summary>
    public static Dictionary<string, double> Cpu(ServiceProcess? service, EndpointProcess endpoint)
    {
        var seconds = new Dictionary<string, double>(StringComparer.Ordinal)
        {
            ["bench"] = ProcessTable.CpuSeconds([Environment.ProcessId]),
            ["endpoint"] = ProcessTable.CpuSeconds([endpoint.Identity.Pid]),
        };
        if (service is not null)
            seconds["service"] = ProcessTable.CpuSeconds([service.Identity.Pid]);
        var managers = endpoint.Managers().Select(static entry => entry.Pid).ToList();
        seconds["manager"] = ProcessTable.CpuSeconds(managers);
        var below = managers.SelectMany(static pid => ProcessTable.Tree(pid)).Select(static entry => entry.Pid).Except(managers).Distinct();
        seconds["workers"] = ProcessTable.CpuSeconds(below);
        return seconds;
    }

    /// <summary>Microseconds per task, all together and each kind in words.</summary>
    public static (double All, string Each) PerTask(Dictionary<string, double> before, Dictionary<string, double> after, long tasks)
    {
        var each = after.ToDictionary(entry => entry.Key, entry => (entry.Value - before.GetValueOrDefault(entry.Key)) * 1e6 / tasks, StringComparer.Ordinal);
        return (each.Values.Sum(), string.Join(", ", each.Select(static entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key} {entry.Value:0.00}"))));
    }

    /// <summary>Process ids, programs, store settings.</summary>
    public static async Task DescribeAsync(ServiceProcess? service, EndpointProcess endpoint, Report report)
    {
        if (service is not null)
        {
            report.Note($"funcx-service {service.Identity.Pid}: {Programs.Service}");
            report.Note(await StoreSettingsAsync(service));
        }

        report.Note($"funcx-endpoint {endpoint.Identity.Pid}: {Programs.Endpoint}");
        if (!Programs.IsCompiledAheadOfTime(Programs.Manager))
            throw new InvalidOperationException($"{Programs.Manager} is not ahead-of-time compiled, so its figures would be another program's: dotnet publish endpoint/FuncX.Manager -c Release");
        report.Note($"funcx-manager {string.Join(", ", endpoint.Managers().Select(static entry => entry.Pid))}: {Programs.Manager} (ahead-of-time compiled)");
        report.Note($"endpoint settings: {(await File.ReadAllTextAsync(endpoint.Configuration)).Trim().ReplaceLineEndings("; ")}");
    }

    /// <summary>A number of the endpoint's status, by its path.</summary>
    public static async Task<double?> StatusAsync(EndpointProcess endpoint, params string[] path)
    {
        using var status = await endpoint.StatusAsync();
        if (status is null)
            return null;
        var element = status.RootElement;
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
                return null;
        }

        return element.ValueKind == JsonValueKind.Number ? element.GetDouble() : null;
    }

    private static async Task<string> StoreSettingsAsync(ServiceProcess service)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(service.DataDirectory, "tasks.db")};Mode=ReadOnly;Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode";
        var mode = (string?)await command.ExecuteScalarAsync();
        // synchronous is a connection's own: the service logs what its connection answers.
        var log = Path.Combine(Path.GetDirectoryName(service.DataDirectory)!, "service.log");
        var said = File.Exists(log) ? File.ReadLines(log).FirstOrDefault(static line => line.Contains("tasks.db", StringComparison.Ordinal) && line.Contains("synchronous", StringComparison.OrdinalIgnoreCase)) : null;
        return $"store: journal_mode {mode} read back from tasks.db; the service's own connection: {said?.Trim() ?? "not logged"}";
    }
}
