using System.CommandLine;
using FuncX.Cli.Quickstart;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx quickstart</c>: everything on this machine for some seconds, and nothing left afterwards.</summary>
internal static class QuickstartCommand
{
    private const int MostWorkers = 256;

    public static Command Create(CommandLine commands)
    {
        var calls = WholeNumber.Option("--calls", "Calls of the second function", 1, 10_000_000, 10_000);
        var workers = WholeNumber.Option("--workers", "Python workers", 1, MostWorkers, Math.Min(Environment.ProcessorCount, MostWorkers));
        var keep = new Option<bool>("--keep") { Description = "Leave it running afterwards, for commands in another terminal, until Ctrl-C." };
        var keepLogs = new Option<bool>("--keep-logs") { Description = "Leave the temporary directory with the logs." };
        var command = new Command("quickstart", "Start a service, an endpoint and Python workers on this machine, call functions on them, and stop everything again.")
        {
            calls,
            workers,
            keep,
            keepLogs,
        };
        commands.On(command, (invocation, cancellation) =>
            new Tour(invocation, invocation.Parsed.GetValue(calls), invocation.Parsed.GetValue(workers))
            {
                KeepsRunning = invocation.Parsed.GetValue(keep),
                KeepsLogs = invocation.Parsed.GetValue(keepLogs),
            }.RunAsync(cancellation));
        return command;
    }
}
