using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Hosting;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint logs</c>: the end of the endpoint's log, or of those of a block's managers.</summary>
internal static class LogsCommand
{
    private const int MostLines = 1_000_000;
    private const int BrokenPipe = 32;

    public static Command Create()
    {
        var config = CommandOptions.Config();
        var block = new Option<string?>("--block") { Description = "The managers of this block; `status` names the blocks", HelpName = "ID" };
        var lines = new Option<int>("--lines", "-n") { Description = "How many of the last lines", HelpName = "N", DefaultValueFactory = _ => 50 };
        lines.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > MostLines)
                result.AddError($"--lines must be 0 to {MostLines}");
        });
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what is written from now on, until interrupted" };
        var command = new Command("logs", "Show the endpoint's log") { config, block, lines, follow };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is not { } file)
                return ExitCode.Usage;
            if (!TryFind(file.Value!, parsed.GetValue(block), out var logs, out var problem))
            {
                await Console.Error.WriteLineAsync($"funcx-endpoint: {problem}");
                return ExitCode.Failed;
            }

            // Not the console's stream, which takes what nobody reads any more without a word: `logs --follow | head` has to end.
            await using var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            using var tails = new LogTails(logs, output);
            try
            {
                await tails.ShowAsync(parsed.GetValue(lines), cancellation);
                while (parsed.GetValue(follow))
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(200), cancellation);
                    await tails.GoOnAsync(cancellation);
                }
            }
            catch (IOException gone) when (gone.HResult == BrokenPipe)
            {
                // Whoever read it has seen enough.
            }
            catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
            {
                await Console.Error.WriteLineAsync($"funcx-endpoint: {unreadable.Message}");
                return ExitCode.Failed;
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static bool TryFind(EndpointConfiguration configuration, string? block, out IReadOnlyList<string> logs, out string problem)
    {
        logs = [];
        problem = "";
        if (block is null)
        {
            var log = DetachedStart.LogOf(configuration);
            logs = [log];
            if (!File.Exists(log))
                problem = $"endpoint '{configuration.Name}' has no log: {log} is not there. One that was started without --detach logs to its own stderr";
            return problem.Length == 0;
        }

        var blocks = new BlockDirectories(configuration);
        var known = blocks.Names;
        if (!known.Contains(block))
        {
            problem = $"endpoint '{configuration.Name}' has no block '{block}'; {(known.Count == 0 ? "it has none" : $"it has {string.Join(", ", known)}")}";
            return false;
        }

        logs = [.. Directory.EnumerateFiles(blocks.PathOf(block)).Where(static file => Path.GetExtension(file) is ".log" or ".output" or ".error" or ".cobaltlog").Order(StringComparer.Ordinal)];
        if (logs.Count == 0)
            problem = $"block '{block}' has no log yet";
        return problem.Length == 0;
    }
}
