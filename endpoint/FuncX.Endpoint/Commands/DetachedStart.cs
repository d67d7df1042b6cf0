using System.Reflection;
using FuncX.Configuration;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Commands;

/// <summary>Starts the endpoint as a process of its own session and waits until it is ready or has failed.</summary>
internal static class DetachedStart
{
    public static string LogOf(EndpointConfiguration configuration) => Path.Combine(configuration.StateDirectory, "logs", "endpoint.log");

    public static async Task<int> RunAsync(StartArguments arguments, TimeProvider time, CancellationToken cancellation)
    {
        var stateDirectory = arguments.Configuration.StateDirectory;
        StateDirectory.Prepare(stateDirectory);
        var log = LogOf(arguments.Configuration);
        var logged = File.Exists(log) ? new FileInfo(log).Length : 0;
        List<string> command = ["start", StartCommand.Detached, "--config", arguments.ConfigFile, "--log-level", arguments.LogLevel.ToString()];
        if (arguments.TokenFile is not null)
            command.AddRange(["--token-file", arguments.TokenFile]);
        if (arguments.MayNeedRuntime)
            command.Add(StartCommand.JitManager);
        var program = Environment.ProcessPath ?? throw new EndpointRefusedException("the path of this program is not known; start it by its path");
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            command.Insert(0, Assembly.GetExecutingAssembly().Location);
        using var process = DetachedProcess.Start(program, command, log, "/");
        var begun = time.GetTimestamp();
        while (!process.HasExited)
        {
            if (EndpointFile.Read(stateDirectory) is { } ready && ready.Pid == process.Id && ready.Host == Environment.MachineName)
            {
                Console.WriteLine($"endpoint '{arguments.Configuration.Name}' is running: pid {process.Id}, id {ready.EndpointId}, log {log}");
                return ExitCode.Done;
            }

            if (time.GetElapsedTime(begun) > arguments.Timeout)
            {
                await Console.Error.WriteLineAsync($"endpoint '{arguments.Configuration.Name}' (pid {process.Id}) is not ready after {arguments.Timeout.TotalSeconds} s and goes on trying; see {log}");
                return ExitCode.TimedOut;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(25), time, cancellation);
        }

        await Console.Error.WriteLineAsync($"endpoint '{arguments.Configuration.Name}' did not start; {log} says:");
        await Console.Error.WriteLineAsync(ReadFrom(log, logged));
        return process.ExitCode is > 0 and < 128 ? process.ExitCode : ExitCode.Failed;
    }

    private static string ReadFrom(string log, long offset)
    {
        using var stream = new FileStream(log, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite);
        // A log that is shorter now was begun anew meanwhile.
        stream.Seek(Math.Max(offset > stream.Length ? 0 : offset, stream.Length - 8_192), SeekOrigin.Begin);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().TrimEnd();
    }
}
