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
        var watch = new Option<bool>("--watch", "-w") { Description = "Go on until interrupted; redrawn in place on a terminal, else a line each time" };
        var interval = new Option<double>("--interval") { Description = "How often with --watch", HelpName = "SECONDS", DefaultValueFactory = _ => 1 };
        interval.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0.1 and <= 3_600))
                result.AddError("--interval must be 0.1 to 3600 seconds");
        });
        var command = new Command("status", "Say how the endpoint fares; exit 3 when none runs") { config, json, watch, interval };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is not { Value: { } file })
                return ExitCode.Usage;
            return parsed.GetValue(watch)
                ? await WatchAsync(file, TimeSpan.FromSeconds(parsed.GetValue(interval)), parsed.GetValue(json))
                : await RunAsync(file, parsed.GetValue(json), cancellation);
        });
        return command;
    }

    private static Task<int> WatchAsync(EndpointConfiguration configuration, TimeSpan interval, bool json) =>
        ControlQuestion.AskAsync(configuration, control => new StatusWatch(control, interval, json, TimeProvider.System).RunAsync());

    private static async Task<int> RunAsync(EndpointConfiguration configuration, bool json, CancellationToken cancellation)
    {
        var (status, code) = await ControlQuestion.StatusAsync(configuration, cancellation);
        if (status is null)
        {
            if (json && code == ExitCode.NotRunning)
                Console.WriteLine(JsonSerializer.Serialize(new { Name = configuration.Name, State = "not_running" }, EndpointStatusReport.Json));
            return code;
        }

        if (json)
            Console.WriteLine(JsonSerializer.Serialize(status, EndpointStatusReport.Json));
        else
            StatusTable.Write(status, Console.Out);
        return ExitCode.Done;
    }
}
