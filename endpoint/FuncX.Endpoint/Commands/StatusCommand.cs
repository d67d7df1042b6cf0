using System.CommandLine;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint status</c>: a table for people, <c>--json</c> for programs.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        var config = CommandOptions.Config();
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        var command = new Command("status", "Say how the endpoint fares; exit 3 when none runs") { config, json };
        command.SetAction(async (parsed, cancellation) => ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is { } file
            ? await RunAsync(file.Value!, parsed.GetValue(json), cancellation)
            : ExitCode.Usage);
        return command;
    }

    private static async Task<int> RunAsync(EndpointConfiguration configuration, bool json, CancellationToken cancellation)
    {
        using var control = new ControlClient(configuration.StateDirectory, TimeProvider.System);
        EndpointStatusReport? status;
        try
        {
            status = await control.StatusAsync(cancellation);
        }
        catch (ControlException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return ExitCode.Failed;
        }

        if (status is null)
        {
            if (json)
                Console.WriteLine(JsonSerializer.Serialize(new { Name = configuration.Name, State = "not_running" }, EndpointStatusReport.Json));
            await Console.Error.WriteLineAsync(StopCommand.NotRunning(configuration, control.Owner));
            return ExitCode.NotRunning;
        }

        if (json)
            Console.WriteLine(JsonSerializer.Serialize(status, EndpointStatusReport.Json));
        else
            StatusTable.Write(status, Console.Out);
        return ExitCode.Done;
    }
}
