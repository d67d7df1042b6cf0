using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint drain</c>: a stop that interrupts nothing.</summary>
internal static class DrainCommand
{
    public static Command Create()
    {
        var config = CommandOptions.Config();
        var timeout = CommandOptions.Timeout("How long to wait for its end; it goes on draining after that", 86_400);
        var noWait = new Option<bool>("--no-wait") { Description = "Return at once; `status` says how many tasks still run" };
        var command = new Command("drain", "Take no more tasks, let those that run finish, end the blocks and stop; exit 3 when none runs") { config, timeout, noWait };
        command.SetAction(async (parsed, cancellation) => ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is { Value: { } file }
            ? await RunAsync(file, parsed.GetValue(noWait) ? TimeSpan.Zero : TimeSpan.FromSeconds(parsed.GetValue(timeout)), cancellation)
            : ExitCode.Usage);
        return command;
    }

    private static Task<int> RunAsync(EndpointConfiguration configuration, TimeSpan timeout, CancellationToken cancellation) => ControlQuestion.AskAsync(configuration, async control =>
    {
        if (await control.StatusAsync(cancellation) is not { } status || !await control.DrainAsync(cancellation))
            return null;
        Console.WriteLine($"endpoint '{configuration.Name}' (pid {status.Pid}) drains: {status.Dispatch?.GetProperty("running").GetInt64()} tasks run");
        if (timeout == TimeSpan.Zero)
            return ExitCode.Done;
        if (!await control.WaitForEndAsync(status.Pid, timeout, cancellation))
        {
            await Console.Error.WriteLineAsync($"endpoint '{configuration.Name}' (pid {status.Pid}) still drains after {timeout.TotalSeconds} s; `stop` ends what still runs");
            return ExitCode.TimedOut;
        }

        Console.WriteLine($"endpoint '{configuration.Name}' (pid {status.Pid}) has stopped");
        return ExitCode.Done;
    });
}
