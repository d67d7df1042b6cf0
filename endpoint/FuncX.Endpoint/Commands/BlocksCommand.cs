using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint blocks</c>: every block that has not ended, with its job and why it is not running.</summary>
internal static class BlocksCommand
{
    public static Command Create()
    {
        var config = CommandOptions.Config();
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        var command = new Command("blocks", "List the blocks that have not ended and their jobs; exit 3 when no endpoint runs") { config, json };
        command.SetAction(async (parsed, cancellation) => ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is { Value: { } file }
            ? await RunAsync(file, parsed.GetValue(json), cancellation)
            : ExitCode.Usage);
        return command;
    }

    private static async Task<int> RunAsync(EndpointConfiguration configuration, bool json, CancellationToken cancellation)
    {
        var (status, code) = await ControlQuestion.StatusAsync(configuration, cancellation);
        if (status is null)
            return code;
        Write(status.Blocks, json, Console.Out);
        return ExitCode.Done;
    }

    internal static void Write(IReadOnlyList<BlockReport> blocks, bool json, TextWriter output)
    {
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(blocks, EndpointStatusReport.Json));
            return;
        }

        output.WriteLine($"{"block",-24} {"job",-20} {"state",-9} {"nodes",5}  {"requested",-20}  reason");
        foreach (var block in blocks)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{block.Block,-24} {(block.Job.Length > 0 ? block.Job : "-"),-20} {block.State,-9} {block.Nodes,5}  {block.Requested.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z  {block.Remark}").TrimEnd());
        }
    }
}
