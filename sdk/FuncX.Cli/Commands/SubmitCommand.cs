using System.CommandLine;
using System.Text;
using FuncX.Cli.Output;
using FuncX.Client;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx submit</c>: a call for each line, without waiting for any.</summary>
internal static class SubmitCommand
{
    public static Command Create(CommandLine commands)
    {
        var options = new CallOptions();
        var file = ArgumentLines.File();
        var command = new Command(
            "submit",
            "Submit a call of a function for each line of JSON, as map takes them, and do not wait for their outcomes. Prints the group: 'funcx group wait', 'group results' and 'group rerun' go on with it.");
        options.AddTo(command);
        command.Add(file);
        commands.On(command, (invocation, cancellation) => SubmitAsync(invocation, options, invocation.Parsed.GetValue(file), cancellation));
        return command;
    }

    private static async Task<int> SubmitAsync(Invocation invocation, CallOptions options, FileInfo? file, CancellationToken cancellation)
    {
        var (group, settings) = (invocation.Parsed.GetValue(options.Group) ?? FuncXClient.NewGroup(), options.Settings(invocation));
        await using var client = invocation.Connect();
        using var lines = ArgumentLines.Open(file, invocation.Terminal.Input);
        var (function, endpoint) = await options.ResolveAsync(invocation, client, cancellation);
        await invocation.Terminal.Error.WriteLineAsync($"group {group}");
        var submitted = await ProgressBar.RunAsync(
            invocation, $"group {group}", lines.Count, report => client.SubmitAllAsync(function, endpoint, lines.ReadAsync(cancellation), group, settings, report, cancellation));
        if (invocation.IsJson)
            invocation.WriteJson(new { Group = group, Submitted = submitted.Count, Batches = submitted.Batches.Select(static batch => batch.ToString()) });
        else
            await invocation.Terminal.Output.WriteLineAsync(group);
        return lines.Problem is { } wrong ? throw wrong : ExitCodes.Ok;
    }
}
