using System.CommandLine;
using System.Text.Json;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Wire;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx run</c>: one call, and its value on standard output.</summary>
internal static class RunCommand
{
    public static Command Create(CommandLine commands)
    {
        var options = new CallOptions();
        var arguments = new Argument<string[]>("arguments")
        {
            Description = "Each is read as JSON, or taken as a string when it is not JSON. Write -- before one that begins with a hyphen.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var named = new Option<string[]>("--named") { Description = "An argument by name, as --named NAME=VALUE; may be given several times.", HelpName = "name=value" };
        var command = new Command("run", "Call a function once and print its value.");
        options.AddTo(command);
        command.Add(arguments);
        command.Add(named);
        commands.On(command, (invocation, cancellation) => RunAsync(
            invocation, options, Arguments(invocation.Parsed.GetValue(arguments) ?? [], invocation.Parsed.GetValue(named) ?? []), cancellation));
        return command;
    }

    internal static CallArguments Arguments(string[] positional, string[] named)
    {
        var arguments = CallArguments.Of([.. positional.Select(object? (text) => Value(text))]);
        foreach (var pair in named)
        {
            var equals = pair.IndexOf('=');
            if (equals <= 0)
                throw new UsageException($"--named '{pair}' has no name; write --named NAME=VALUE.");
            arguments.With(pair[..equals], Value(pair[(equals + 1)..]));
        }

        return arguments;
    }

    private static object? Value(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return text;
        }
    }

    private static async Task<int> RunAsync(Invocation invocation, CallOptions options, CallArguments arguments, CancellationToken cancellation)
    {
        var settings = options.Settings(invocation);
        await using var client = invocation.Connect(invocation.Parsed.GetValue(options.Group));
        var (function, endpoint) = await options.ResolveAsync(invocation, client, cancellation);
        var handle = await client.SubmitAsync<RawResult>(function, endpoint, arguments, settings, cancellation);
        RawResult value;
        try
        {
            await handle.Accepted.WaitAsync(cancellation);
            value = await handle.AsTask().WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            await CancelAsync(client, handle.Id);
            throw;
        }
        catch (RemoteTaskException problem)
        {
            await invocation.Terminal.Error.WriteAsync(problem.StandardOutput);
            await invocation.Terminal.Error.WriteAsync(problem.StandardError);
            if (invocation.IsJson)
                invocation.WriteJson(new { Task = problem.TaskId.ToString(), Outcome = Failures.Name(problem.Outcome), Error = Failures.Document(problem) });
            throw;
        }

        if (invocation.IsJson)
        {
            invocation.WriteJson(new { Task = handle.Id.ToString(), Outcome = "value", Value = Values.Node(value) });
            return ExitCodes.Ok;
        }

        var task = await client.Tasks.GetAsync(handle.Id, cancellation: cancellation);
        await invocation.Terminal.Error.WriteAsync(task.Stdout.ToStringUtf8());
        await invocation.Terminal.Error.WriteAsync(task.Stderr.ToStringUtf8());
        await invocation.Terminal.Output.WriteLineAsync(Values.Text(value));
        return ExitCodes.Ok;
    }

    /// <summary>Whoever interrupts a call does not want its work done either.</summary>
    private static async Task CancelAsync(FuncXClient client, TaskId task)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            await client.Tasks.CancelAsync([task], patience.Token);
        }
        catch (Exception problem) when (problem is FuncXException or OperationCanceledException)
        {
            // The service is away: the interruption stands.
        }
    }
}
