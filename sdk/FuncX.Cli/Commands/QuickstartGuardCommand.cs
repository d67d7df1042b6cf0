using System.CommandLine;
using FuncX.Cli.Quickstart;

namespace FuncX.Cli.Commands;

/// <summary>The process that <see cref="Guard"/> starts; nobody calls it by hand.</summary>
internal static class QuickstartGuardCommand
{
    public const string Name = "quickstart-guard";

    public const string KeepLogs = "--keep-logs";

    public static Command Create(CommandLine commands)
    {
        var directory = new Argument<string>("directory");
        var keep = new Option<bool>(KeepLogs);
        var command = new Command(Name) { directory, keep };
        command.Hidden = true;
        // Without the token: a Ctrl-C goes to quickstart and to this process, and quickstart may be killed while it stops the others.
        commands.On(command, async (invocation, _) =>
        {
            await Guard.WatchAsync(invocation.Parsed.GetRequiredValue(directory), invocation.Parsed.GetValue(keep));
            return ExitCodes.Ok;
        });
        return command;
    }
}
