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
        var force = new Option<bool>("--force") { Description = "End it also without results that can be stored neither at the service nor in the spool: they are lost" };
        var keep = new Option<bool>("--keep") { Description = "Leave its blocks running: the next start takes them up" };
        var command = new Command("stop", "Stop the endpoint and its blocks; exit 3 when none runs") { config, timeout, force, keep };
        command.SetAction(async (parsed, cancellation) => ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is { } file
            ? await RunAsync(file.Value!, TimeSpan.FromSeconds(parsed.GetValue(timeout)), parsed.GetValue(force), cancellation, parsed.GetValue(keep))
            : ExitCode.Usage);
        return command;
    }

    /// <summary>Stops it and says how that went.</summary>
    public static Task<int> RunAsync(EndpointConfiguration configuration, TimeSpan timeout, bool force, CancellationToken cancellation, bool keep = false) =>
        ControlQuestion.AskAsync(configuration, control => StopAsync(control, configuration, timeout, force, keep, cancellation));

    private static async Task<int?> StopAsync(ControlClient control, EndpointConfiguration configuration, TimeSpan timeout, bool force, bool keep, CancellationToken cancellation)
    {
        var status = await control.StatusAsync(cancellation);
        if (status is null || !await control.StopAsync(force, cancellation, keep))
            return null;
        if (!await control.WaitForEndAsync(status.Pid, timeout, cancellation))
        {
            var (held, reason) = HeldBy(await control.StatusAsync(cancellation));
            await Console.Error.WriteLineAsync(held > 0
                ? $"endpoint '{configuration.Name}' (pid {status.Pid}) has {held} results that are stored neither at the service nor in its spool: {reason}. It ends once they are; `stop --force` ends it without them"
                : $"endpoint '{configuration.Name}' (pid {status.Pid}) is still stopping after {timeout.TotalSeconds} s; its log says why");
            return held > 0 ? ExitCode.NotStored : ExitCode.TimedOut;
        }

        if (force && status.State == "stopping" && HeldBy(status).Results is > 0 and var lost)
        {
            await Console.Error.WriteLineAsync($"endpoint '{configuration.Name}' (pid {status.Pid}) has stopped without {lost} results that could be stored nowhere");
            return ExitCode.NotStored;
        }

        Console.WriteLine($"endpoint '{configuration.Name}' (pid {status.Pid}) has stopped{(keep && status.Blocks.Count > 0 ? $" and left {status.Blocks.Count} blocks running" : "")}");
        return ExitCode.Done;
    }

    private static (long Results, string Reason) HeldBy(EndpointStatusReport? status) => status?.Dispatch is { } numbers
        ? (numbers.GetProperty("results_held").GetInt64(), numbers.GetProperty("note").GetString() is { Length: > 0 } note ? note : "its log says why")
        : (0, "");
}
