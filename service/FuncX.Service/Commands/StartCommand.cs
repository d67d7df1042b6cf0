using System.CommandLine;
using System.Runtime.InteropServices;
using FuncX.Configuration;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Telemetry;

namespace FuncX.Service.Commands;

/// <summary><c>funcx-service [start]</c>: runs the service in the foreground until SIGTERM or SIGINT.</summary>
internal static partial class StartCommand
{
    private const int OnlyTheOwner = 0b000_111_111;

    /// <summary>Gives a command the options and the action of start.</summary>
    public static void Configure(Command command)
    {
        var dataDirectory = new Option<string?>("--data-dir") { Description = "Directory of everything the service keeps; made with mode 0700.", HelpName = "DIR" };
        var listen = new Option<string?>("--listen") { Description = $"{ListenAddress.Shape}. Default 127.0.0.1:0, any free port.", HelpName = "ADDRESS:PORT" };
        var config = new Option<string?>("--config") { Description = "service.yaml; options given here win over it.", HelpName = "FILE" };
        var logLevel = new Option<LogLevel>("--log-level") { Description = "Least level that is logged.", DefaultValueFactory = _ => LogLevel.Information };
        var requestLog = new Option<bool>("--request-log") { Description = "Log every call." };
        command.Options.Add(dataDirectory);
        command.Options.Add(listen);
        command.Options.Add(config);
        command.Options.Add(logLevel);
        command.Options.Add(requestLog);
        command.SetAction((parsed, cancellation) => CommandEdge.RunAsync(() => RunAsync(
            Settings(parsed.GetValue(dataDirectory), parsed.GetValue(listen), parsed.GetValue(config)) with
            {
                LogLevel = parsed.GetValue(logLevel),
                RequestLog = parsed.GetValue(requestLog),
            },
            cancellation)));
    }

    private static async Task RunAsync(ServiceSettings settings, CancellationToken cancellation)
    {
        // Every file from here on is the owner's alone, whatever the shell's mask was; SQLite takes no modes.
        _ = SetFileModeMask(OnlyTheOwner);
        var (output, error) = (Console.Out, Console.Error);
        if (settings.Logs.File is { } file)
            Open(file, settings.Logs).TakeOutput();
        try
        {
            await using var host = ServiceHost.Build(settings);
            await host.StartAsync(cancellation);
            await host.WaitForStopAsync();
        }
        finally
        {
            // Why it ends is told to whoever started it.
            Console.SetOut(output);
            Console.SetError(error);
        }
    }

    private static LogFileStream Open(string file, LogsConfiguration configuration)
    {
        try
        {
            return new LogFileStream(file, configuration);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new ServiceRefusedException($"logs.file: {problem.Message}. Make its directory, or name another file.", problem);
        }
    }

    private static ServiceSettings Settings(string? dataDirectory, string? listen, string? config)
    {
        var file = config is null ? new ServiceConfiguration() : ServiceConfiguration.Read(config);
        dataDirectory ??= file.DataDirectory;
        if (string.IsNullOrEmpty(dataDirectory))
            throw new ServiceRefusedException("no data directory: give --data-dir DIR, or data_dir in the file of --config.");
        var settings = new ServiceSettings(Path.GetFullPath(dataDirectory), file.Limits) { Certificate = file.Certificate, Telemetry = file.Telemetry, Logs = file.Logs };
        if (listen is null)
            return file.Listen is null ? settings : settings with { Listen = file.Listen };
        return ListenAddress.TryParse(listen, out var address)
            ? settings with { Listen = address }
            : throw new ServiceRefusedException($"--listen is '{listen}'; it must be {ListenAddress.Shape}.");
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial int SetFileModeMask(int mask);
}
