using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Hosting;
using FuncX.Telemetry;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint start</c>: in the foreground, or detached.</summary>
internal static class StartCommand
{
    /// <summary>Takes a manager that needs the .NET runtime too.</summary>
    public const string JitManager = "--jit-manager";

    /// <summary>Said to itself by <c>--detach</c>: the log is this process's own to rotate.</summary>
    public const string Detached = "--detached";

    public static Command Create()
    {
        var options = new StartOptions("How long --detach waits for readiness");
        var detach = new Option<bool>("--detach") { Description = "Return when the endpoint is ready; it goes on in the background and logs to state_dir/logs/endpoint.log" };
        var detached = new Option<bool>(Detached) { Hidden = true };
        var command = new Command("start", "Run the endpoint of a machine's file") { detach, detached };
        options.AddTo(command);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, arguments =>
        {
            if (parsed.GetValue(detach))
                return DetachedStart.RunAsync(arguments, TimeProvider.System, cancellation);
            if (parsed.GetValue(detached))
                new LogFileStream(DetachedStart.LogOf(arguments.Configuration), arguments.Configuration.Logs).TakeOutput();
            return EndpointHost.RunAsync(arguments.Configuration, arguments.Manager, arguments.TokenFile, arguments.LogLevel);
        }));
        return command;
    }
}

/// <summary>What <c>start</c> was given.</summary>
internal sealed record StartArguments(
    EndpointConfiguration Configuration, ManagerProgram Manager, bool MayNeedRuntime, string ConfigFile, string? TokenFile, LogLevel LogLevel, TimeSpan Timeout);
