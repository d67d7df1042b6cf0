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
        var files = new FileOptions();
        var file = ArgumentLines.File();
        var unordered = new Option<bool>("--unordered") { Description = "Print results as they come; with --json each says which line it belongs to." };
        var window = WholeNumber.Option("--window", "Calls on their way at a time", 1, int.MaxValue, 65_536);
        var command = new Command(
            "map",
            "Call a function for each line of JSON: an array holds the positional arguments, an object of \"args\" and \"kwargs\" all of them, anything else is the only argument. "
            + "Prints each value as a line of JSON; a failed call as {\"error\": ...}. With --files: for each file, whose absolute path is the only argument; each line begins with the file.");
        options.AddTo(command);
        command.Add(file);
        files.AddTo(command);
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
            var lines = invocation.Parsed.GetValue(file);
            var input = files.Open(invocation, lines);
            var output = input is not null && invocation.Parsed.GetValue(files.OutputDirectory) is { } directory ? FileResults.Open(directory, input.Files) : null;
            return MapAsync(invocation, options, input ?? (IMapInput)ArgumentLines.Open(lines, invocation.Terminal.Input), map, output, cancellation);
        });
        return command;
    }

    private static async Task<int> MapAsync(Invocation invocation, CallOptions options, IMapInput input, MapOptions map, FileResults? output, CancellationToken cancellation)
    {
        using var closing = input;
        await using var client = invocation.Connect();
        var (function, endpoint) = await options.ResolveAsync(invocation, client, cancellation);
        if (input is FileArguments files)
        {
            files.For(function);
            map = map with { Octets = files.Octets };
        }

        await invocation.Terminal.Error.WriteLineAsync($"group {map.Group}");

        long failed = 0;
        FuncXException? first = null;
        var done = await ProgressBar.RunAsync(invocation, "calls", input.Count, async report =>
        {
            long count = 0;
            var results = client.MapResultsAsync<CallArguments, RawResult>(function, endpoint, input.ReadAsync(cancellation), map, cancellation: cancellation);
            await foreach (var result in invocation.Terminal.FlushingAsync(ExplainedAsync(results, input)))
            {
                if (result.Error is { } problem)
                {
                    failed++;
                    first ??= problem;
                }

                Write(invocation, result, input.FileOf(result.Index), output);
                if (++count < ProgressBar.Few || count % 256 == 0)
                    report(count);
            }

            report(count);
            return count;
        });

        if (failed > 0)
            await invocation.Terminal.Error.WriteLineAsync($"funcx: {failed} of {done} calls failed; the first: {first!.Message}");
        if (input.Problem is { } wrong)
            throw wrong;
        return failed == 0 ? ExitCodes.Ok : ExitCodes.Failed;
    }

    private static async IAsyncEnumerable<T> ExplainedAsync<T>(IAsyncEnumerable<T> results, IMapInput input)
    {
        await using var each = results.GetAsyncEnumerator();
        while (true)
        {
            try
            {
                if (!await each.MoveNextAsync())
                    yield break;
            }
            catch (FuncXException problem) when (problem is not RemoteTaskException)
            {
                throw input.Explain(problem);
            }

            yield return each.Current;
        }
    }

    private static void Write(Invocation invocation, in MapResult<RawResult> result, string? file, FileResults? output)
    {
        var written = result.Error is null && output is not null ? output.Write(file!, result.Value) : null;
        if (invocation.IsJson)
        {
            invocation.WriteJson(Document(result, file, written));
            return;
        }

        if (file is not null)
            invocation.Terminal.Output.Write($"{file}\t");
        if (result.Error is { } failure)
            invocation.WriteJson(new { Error = Failures.Document(failure) });
        else if (written is not null)
            invocation.Terminal.Output.WriteLine(written);
        else if (result.Value.ContentType == Wire.ContentType.Json)
            invocation.Terminal.Output.WriteLine(Encoding.UTF8.GetString(result.Value.Bytes.Span));
        else
            invocation.WriteJson(Values.Node(result.Value)!);
    }

    private static object Document(in MapResult<RawResult> result, string? file, string? written)
    {
        var task = result.TaskId.ToString();
        if (result.Error is { } problem)
            return file is null ? new { result.Index, Task = task, Error = Failures.Document(problem) } : new { result.Index, File = file, Task = task, Error = Failures.Document(problem) };
        if (written is not null)
            return new { result.Index, File = file, Task = task, Output = written };
        return file is null ? new { result.Index, Task = task, Value = Values.Node(result.Value) } : new { result.Index, File = file, Task = task, Value = Values.Node(result.Value) };
    }
}
