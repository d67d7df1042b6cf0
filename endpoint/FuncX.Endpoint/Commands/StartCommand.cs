using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint start</c>: in the foreground, or detached.</summary>
internal static class StartCommand
{
    /// <summary>Takes a manager that needs the .NET runtime too.</summary>
    public const string JitManager = "--jit-manager";

    public static Command Create()
    {
        var config = CommandOptions.Config();
        var detach = new Option<bool>("--detach") { Description = "Return when the endpoint is ready; it goes on in the background and logs to state_dir/logs/endpoint.log" };
        var tokenFile = new Option<FileInfo?>("--token-file")
        {
            Description = "File (mode 0600) with your token, for the first start; left out: what `funcx login` saved",
            HelpName = "FILE",
        };
        var logLevel = new Option<LogLevel>("--log-level") { Description = "Least level that is logged", DefaultValueFactory = _ => LogLevel.Information };
        var timeout = CommandOptions.Timeout("How long --detach waits for readiness", 60);
        // Of `funcx quickstart`, which says so: it works before anything was published.
        var jitManager = new Option<bool>(JitManager) { Hidden = true };
        var command = new Command("start", "Run the endpoint of a machine's file") { config, detach, tokenFile, logLevel, timeout, jitManager };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is not { } file)
                return ExitCode.Usage;
            var unsupported = EndpointSupport.Unsupported(file);
            if (unsupported.Count > 0)
            {
                ConfigurationLoading.Print(unsupported, "error");
                return ExitCode.Usage;
            }

            ManagerProgram manager;
            try
            {
                manager = ManagerProgram.Find(mayNeedRuntime: parsed.GetValue(jitManager));
            }
            catch (EndpointRefusedException problem)
            {
                await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
                return ExitCode.Usage;
            }

            var arguments = new StartArguments(file.Value!, manager, parsed.GetValue(jitManager), Path.GetFullPath(file.File), parsed.GetValue(tokenFile)?.FullName,
                parsed.GetValue(logLevel), TimeSpan.FromSeconds(parsed.GetValue(timeout)));
            try
            {
                return parsed.GetValue(detach)
                    ? await DetachedStart.RunAsync(arguments, TimeProvider.System, cancellation)
                    : await EndpointHost.RunAsync(arguments.Configuration, arguments.Manager, arguments.TokenFile, arguments.LogLevel);
            }
            catch (Exception problem) when (problem is EndpointRefusedException or BlockProviderException or IOException or UnauthorizedAccessException)
            {
                await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
                return ExitCode.Failed;
            }
        });
        return command;
    }
}

/// <summary>What <c>start</c> was given.</summary>
internal sealed record StartArguments(
    EndpointConfiguration Configuration, ManagerProgram Manager, bool MayNeedRuntime, string ConfigFile, string? TokenFile, LogLevel LogLevel, TimeSpan Timeout);
