using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint stop</c>: a clean stop, waited for.</summary>
internal static class StopCommand
{
    public static Command Create()
    {
        var config = CommandOptions.Config();
        var timeout = CommandOptions.Timeout("How long to wait for its end", 60);
        var command = new Command("stop", "Stop the endpoint and its blocks; exit 3 when none runs") { config, timeout };
        command.SetAction(async (parsed, cancellation) => ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is { } file
            ? await RunAsync(file.Value!, TimeSpan.FromSeconds(parsed.GetValue(timeout)), cancellation)
            : ExitCode.Usage);
        return command;
    }

    private static async Task<int> RunAsync(EndpointConfiguration configuration, TimeSpan timeout, CancellationToken cancellation)
    {
        using var control = new ControlClient(configuration.StateDirectory);
        var status = await control.StatusAsync(cancellation);
        if (status is null || !await control.StopAsync(cancellation))
        {
            await Console.Error.WriteLineAsync(NotRunning(configuration));
            return ExitCode.NotRunning;
        }

        if (!await ControlClient.WaitForEndAsync(status.Pid, timeout, cancellation))
        {
            await Console.Error.WriteLineAsync($"endpoint '{configuration.Name}' (pid {status.Pid}) is still stopping after {timeout.TotalSeconds} s; its log says why");
            return ExitCode.TimedOut;
        }

        Console.WriteLine($"endpoint '{configuration.Name}' (pid {status.Pid}) has stopped");
        return ExitCode.Done;
    }

    public static string NotRunning(EndpointConfiguration configuration)
    {
        var file = EndpointFile.Read(configuration.StateDirectory);
        return file is null || file.Host == Environment.MachineName
            ? $"endpoint '{configuration.Name}' is not running"
            : $"endpoint '{configuration.Name}' is not running on this machine; it was last started on {file.Host} with pid {file.Pid}";
    }
}
