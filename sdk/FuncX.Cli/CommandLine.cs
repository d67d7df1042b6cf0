using System.CommandLine;
using System.Runtime.InteropServices;
using FuncX.Cli.Commands;
using FuncX.Client;

namespace FuncX.Cli;

/// <summary>The <c>funcx</c> command: what there is, and what becomes of every way it can end.</summary>
internal sealed class CommandLine
{
    private readonly Terminal _terminal;
    private readonly GlobalOptions _globals = new();

    public CommandLine(Terminal terminal) => _terminal = terminal;

    public async Task<int> RunAsync(string[] arguments)
    {
        var parsed = Build().Parse(arguments, new ParserConfiguration
        {
            // A function's argument may begin with '@', and is not a file for it.
            ResponseFileTokenReplacer = null,
        });
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                await _terminal.Error.WriteLineAsync($"funcx: {error.Message}");
            await _terminal.Error.WriteLineAsync($"Run: {Path(parsed)} --help");
            return ExitCodes.Usage;
        }

        using var hangup = new CancellationTokenSource();
        // The terminal was closed. The default would end the process where it stands, and leave what quickstart has started.
        using var closing = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            hangup.Cancel();
        });
        var code = await parsed.InvokeAsync(new InvocationConfiguration
        {
            Output = _terminal.Output,
            Error = _terminal.Error,
            EnableDefaultExceptionHandler = false,
            // quickstart stops three processes in this time.
            ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
        }, hangup.Token);
        await _terminal.Output.FlushAsync();
        return code;
    }

    private RootCommand Build()
    {
        var root = new RootCommand("FuncX: run functions on clusters and supercomputers through a service.")
        {
            _globals.Service,
            _globals.TokenFile,
            _globals.Json,
        };
        root.Add(QuickstartCommand.Create(this));
        root.Add(QuickstartGuardCommand.Create(this));
        root.Add(LoginCommand.Create(this));
        root.Add(FunctionCommands.Create(this));
        root.Add(ContainerCommands.Create(this));
        root.Add(EndpointCommands.Create(this));
        root.Add(RunCommand.Create(this));
        root.Add(MapCommand.Create(this));
        root.Add(SubmitCommand.Create(this));
        root.Add(TaskCommands.Create(this));
        root.Add(GroupCommands.Create(this));
        root.Add(TopCommand.Create(this));
        root.Add(DoctorCommand.Create(this));
        root.Add(CompletionCommand.Create(this));
        return root;
    }

    /// <summary>Gives a command its action; exceptions become one sentence and an exit code here and nowhere else.</summary>
    public void On(Command command, Func<Invocation, CancellationToken, Task<int>> action) =>
        command.SetAction((parsed, cancellation) => GuardAsync(new Invocation(parsed, _globals, _terminal), action, cancellation));

    private static async Task<int> GuardAsync(Invocation invocation, Func<Invocation, CancellationToken, Task<int>> action, CancellationToken cancellation)
    {
        try
        {
            return await action(invocation, cancellation);
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            try
            {
                await invocation.Terminal.Error.WriteLineAsync("funcx: interrupted");
            }
            catch (IOException)
            {
                // It was the terminal that went away.
            }

            return ExitCodes.Interrupted;
        }
        catch (RemoteTaskException problem)
        {
            await invocation.Terminal.Error.WriteLineAsync($"funcx: {problem.Message}");
            if (problem.RemoteTraceback is { Length: > 0 } traceback)
                await invocation.Terminal.Error.WriteLineAsync(traceback.TrimEnd());
            return ExitCodes.Failed;
        }
        catch (FuncXException problem)
        {
            await invocation.Terminal.Error.WriteLineAsync($"funcx: {problem.Message}");
            return ExitCodes.For(problem.Kind);
        }
        catch (Exception problem) when (problem is UsageException or ArgumentException or FormatException or InvalidDataException or FileNotFoundException
            or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            await invocation.Terminal.Error.WriteLineAsync($"funcx: {problem.Message}");
            return ExitCodes.Usage;
        }
        catch (Exception problem)
        {
            await invocation.Terminal.Error.WriteLineAsync($"funcx: {problem.Message}");
            return ExitCodes.Failed;
        }
    }

    private static string Path(ParseResult parsed)
    {
        var names = new Stack<string>();
        for (var result = parsed.CommandResult; result is not null; result = result.Parent as System.CommandLine.Parsing.CommandResult)
            names.Push(result.Command is RootCommand ? "funcx" : result.Command.Name);
        return string.Join(' ', names);
    }
}
