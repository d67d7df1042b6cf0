using System.CommandLine;
using FuncX.Cli.Quickstart;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx quickstart</c>: everything on this machine for some seconds, and nothing left afterwards.</summary>
internal static class QuickstartCommand
{
    public static Command Create(CommandLine commands)
    {
        var calls = new Option<int>("--calls") { Description = "Calls of the second function; 1 to 10,000,000.", DefaultValueFactory = _ => 10_000 };
        var workers = new Option<int>("--workers") { Description = "Python workers.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var keep = new Option<bool>("--keep-logs") { Description = "Leave the temporary directory with the logs." };
        var command = new Command("quickstart", "Start a service, an endpoint and Python workers on this machine, call functions on them, and stop everything again.")
        {
            calls,
            workers,
            keep,
        };
        commands.On(command, (invocation, cancellation) =>
        {
            var (count, processes) = (invocation.Parsed.GetValue(calls), invocation.Parsed.GetValue(workers));
            if (count is < 1 or > 10_000_000)
                throw new UsageException($"--calls {count} is not between 1 and 10,000,000.");
            if (processes is < 1 or > 256)
                throw new UsageException($"--workers {processes} is not between 1 and 256.");
            return new Tour(invocation, count, processes, invocation.Parsed.GetValue(keep)).RunAsync(cancellation);
        });
        return command;
    }
}
