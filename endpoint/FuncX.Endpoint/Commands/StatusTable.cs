using System.Globalization;
using System.Text.Json;
using FuncX.Endpoint.Control;

namespace FuncX.Endpoint.Commands;

/// <summary>A status as a person reads it: one fact per line, then a line per block.</summary>
internal static class StatusTable
{
    public static void Write(EndpointStatusReport status, TextWriter output)
    {
        Line("endpoint", $"{status.Name} ({status.EndpointId})");
        Line("state", status.State);
        Line("service", status.Service);
        Line("process", $"pid {status.Pid} on {status.Host}, version {status.Version}");
        Line("started", status.Started.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        Line("addresses", string.Join(", ", status.Addresses));
        if (status.Dispatch is { ValueKind: JsonValueKind.Object } numbers)
            Facts("", numbers);
        Line("blocks", status.Blocks.Count == 0 ? "none" : status.Blocks.Count.ToString(CultureInfo.InvariantCulture));
        foreach (var block in status.Blocks)
        {
            var nodes = block.Nodes == 1 ? "1 node" : $"{block.Nodes} nodes";
            output.WriteLine($"  {block.Block,-20} {block.State,-9} {nodes,-10} {block.Requested.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z  {block.Remark}".TrimEnd());
        }

        void Facts(string prefix, JsonElement section)
        {
            foreach (var fact in section.EnumerateObject())
            {
                var name = prefix + fact.Name.Replace('_', ' ');
                if (fact.Value.ValueKind == JsonValueKind.Object)
                    Facts(name + ": ", fact.Value);
                else if (fact.Value.ToString() is { Length: > 0 } text)
                    Line(name, text);
            }
        }

        void Line(string name, string value) => output.WriteLine($"{name,-22} {value}");
    }
}
