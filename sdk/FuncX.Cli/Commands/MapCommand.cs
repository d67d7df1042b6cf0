using System.CommandLine;
using System.Text;
using FuncX.Cli.Output;
using FuncX.Client;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx map</c>: a call for each line, a line for each result, in memory that does not depend on how many there are.</summary>
internal static class MapCommand
{
    public static Command Create(CommandLine commands)
    {
        var options = new CallOptions();
        var file = ArgumentLines.File();
        var unordered = new Option<bool>("--unordered") { Description = "Print results as they come; with --json each says which line it belongs to." };
        var window = WholeNumber.Option("--window", "Calls on their way at a time", 1, int.MaxValue, 65_536);
        var command = new Command(
            "map",
            "Call a function for each line of JSON: an array holds the positional arguments, an object of \"args\" and \"kwargs\" all of them, anything else is the only argument. "
            + "Prints each value as a line of JSON; a failed call as {\"error\": ...}.");
        options.AddTo(command);
        command.Add(file);
        command.Add(unordered);
        command.Add(window);
        commands.On(command, (invocation, cancellation) =>
        {
            var map = new MapOptions
            {
                Ordered = !invocation.Parsed.GetValue(unordered),
                Window = invocation.Parsed.GetValue(window),
                Group = invocation.Parsed.GetValue(options.Group) ?? FuncXClient.NewGroup(),
                Settings = options.Settings(invocation),
            };
            return MapAsync(invocation, options, invocation.Parsed.GetValue(file), map, cancellation);
        });
        return command;
    }

    private static async Task<int> MapAsync(Invocation invocation, CallOptions options, FileInfo? file, MapOptions map, CancellationToken cancellation)
    {
        using var lines = ArgumentLines.Open(file, invocation.Terminal.Input);
        await using var client = invocation.Connect();
        var (function, endpoint) = await options.ResolveAsync(invocation, client, cancellation);
        await invocation.Terminal.Error.WriteLineAsync($"group {map.Group}");

        long failed = 0;
        FuncXException? first = null;
        var done = await ProgressBar.RunAsync(invocation, "calls", lines.Count, async report =>
        {
            long count = 0;
            var results = client.MapResultsAsync<CallArguments, RawResult>(function, endpoint, lines.ReadAsync(cancellation), map, cancellation: cancellation);
            await foreach (var result in invocation.Terminal.FlushingAsync(results))
            {
                if (result.Error is { } problem)
                {
                    failed++;
                    first ??= problem;
                }

                Write(invocation, result);
                if (++count < ProgressBar.Few || count % 256 == 0)
                    report(count);
            }

            report(count);
            return count;
        });

        if (failed > 0)
            await invocation.Terminal.Error.WriteLineAsync($"funcx: {failed} of {done} calls failed; the first: {first!.Message}");
        if (lines.Problem is { } wrong)
            throw wrong;
        return failed == 0 ? ExitCodes.Ok : ExitCodes.Failed;
    }

    private static void Write(Invocation invocation, in MapResult<RawResult> result)
    {
        if (invocation.IsJson)
        {
            if (result.Error is { } problem)
                invocation.WriteJson(new { result.Index, Task = result.TaskId.ToString(), Error = Failures.Document(problem) });
            else
                invocation.WriteJson(new { result.Index, Task = result.TaskId.ToString(), Value = Values.Node(result.Value) });
            return;
        }

        if (result.Error is { } failure)
            invocation.WriteJson(new { Error = Failures.Document(failure) });
        else if (result.Value.ContentType == Wire.ContentType.Json)
            invocation.Terminal.Output.WriteLine(Encoding.UTF8.GetString(result.Value.Bytes.Span));
        else
            invocation.WriteJson(Values.Node(result.Value)!);
    }
}
