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
        using var control = new ControlClient(configuration.StateDirectory, TimeProvider.System);
        EndpointStatusReport? status;
        try
        {
            status = await control.StatusAsync(cancellation);
            if (status is null || !await control.StopAsync(cancellation))
            {
                await Console.Error.WriteLineAsync(NotRunning(configuration, control.Owner));
                return ExitCode.NotRunning;
            }
        }
        catch (ControlException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return ExitCode.Failed;
        }

        if (!await control.WaitForEndAsync(status.Pid, timeout, cancellation))
        {
            await Console.Error.WriteLineAsync($"endpoint '{configuration.Name}' (pid {status.Pid}) is still stopping after {timeout.TotalSeconds} s; its log says why");
            return ExitCode.TimedOut;
        }

        Console.WriteLine($"endpoint '{configuration.Name}' (pid {status.Pid}) has stopped");
        return ExitCode.Done;
    }

    public static string NotRunning(EndpointConfiguration configuration, ControlOwner? owner) =>
        owner is { IsOnThisMachine: false } elsewhere
            ? $"endpoint '{configuration.Name}' is not running on this machine: it runs on host {elsewhere.Host} with pid {elsewhere.Pid}, or was killed there; ask on that host"
            : $"endpoint '{configuration.Name}' is not running";
}
