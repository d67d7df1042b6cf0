using System.CommandLine;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint restart</c>: a new process in the background. The one that runs is superseded, and its blocks and their tasks go on.</summary>
internal static class RestartCommand
{
    public static Command Create()
    {
        var options = new StartOptions("How long each, the end of the blocks and the readiness of the new process, may take");
        var blocks = new Option<bool>("--blocks")
        {
            Description = "Stop it first, with its blocks: those that go on keep the workers they were started with. Tasks that run are run again",
        };
        var command = new Command("restart", "Start the endpoint anew in the background; its blocks and what they run go on") { blocks };
        options.AddTo(command);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, arguments => RunAsync(arguments, parsed.GetValue(blocks), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(StartArguments arguments, bool blocks, CancellationToken cancellation)
    {
        if (blocks && await IsRunningAsync(arguments, cancellation))
        {
            var stopped = await StopCommand.RunAsync(arguments.Configuration, arguments.Timeout, force: false, cancellation);
            if (stopped is not (ExitCode.Done or ExitCode.NotRunning))
                return stopped;
        }

        return await DetachedStart.RunAsync(arguments, TimeProvider.System, cancellation);
    }

    // One that hangs is no obstacle to the stop's own message.
    private static async Task<bool> IsRunningAsync(StartArguments arguments, CancellationToken cancellation)
    {
        using var control = new ControlClient(arguments.Configuration.StateDirectory, TimeProvider.System);
        try
        {
            return await control.StatusAsync(cancellation) is not null;
        }
        catch (ControlException)
        {
            return true;
        }
    }
}
