using System.Runtime.InteropServices;
using System.Text;
using FuncX.Definitions;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;
using FuncX.Wire;
using FuncX.Workers;

namespace FuncX.Manager.Commands;

/// <summary>
/// <c>funcx-manager --command-worker DIRECTORY</c>: a worker for command functions. It runs no user code itself, so it lives on whatever a command does, and needs
/// nothing on the node but itself.
/// </summary>
internal sealed class CommandWorker(string kept) : IFunctionRunner<CommandDefinition>
{
    /// <summary>Who signals every process of a job reaches some before others: so long it may take until this one is told, too.</summary>
    private static readonly TimeSpan s_word = TimeSpan.FromMilliseconds(250);

    private readonly ChildWatch _watch = new();

    // Completed by SIGTERM; null while nothing runs, when the signal means nothing: who ends the node closes the socket.
    private volatile TaskCompletionSource? _terminated;

    public string Runtime => $"command {ProtocolVersion.Product}";

    /// <param name="kept">Where the output of functions with <c>keep_output</c> stays.</param>
    public static int Run(string kept)
    {
        // Orphans of a command come here and not to the spawner, so that what it leaves behind is known.
        if (Libc.Prctl(Libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
            throw new InvalidOperationException($"prctl(PR_SET_CHILD_SUBREAPER) failed: {Libc.LastError()}");
        TaskDirectory.RemoveDead();
        var worker = new CommandWorker(kept);
        // The manager's SIGTERM: the command is told to end, and what is left of it is ended, before the task is answered.
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            worker._terminated?.TrySetResult();
            worker._watch.Wake();
        });
        return WorkerLoop.Run(worker);
    }

    public CommandDefinition Define(FunctionMessage function) => CommandDefinition.Read(Encoding.UTF8.GetBytes(function.Source));

    public Answer Run(CommandDefinition function, in FrameHeader task, byte[] arguments, WorkerWelcome limits)
    {
        CommandCall call;
        try
        {
            call = task.ContentType switch
            {
                ContentType.None => CommandCall.Create(function, CallArguments.None),
                ContentType.Json => CommandCall.Create(function, CallArguments.Read(arguments)),
                ContentType.Octets => CommandCall.Create(function, CallArguments.None, arguments),
                _ => throw new ArgumentsException("a command takes JSON arguments, or bytes for its standard input; these are pickled"),
            };
        }
        catch (ArgumentsException problem)
        {
            return Answer.Failed("ArgumentError", problem.Message);
        }

        try
        {
            _terminated = new TaskCompletionSource();
            using var directory = TaskDirectory.Create($"{task.Task}-{task.Attempt}", function.KeepOutput ? kept : null);
            foreach (var (path, text) in call.Inputs)
                directory.Write(path, text);
            return Execute(function, call, task, directory, limits, _terminated.Task);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return Answer.Failed("CommandFilesFailed", problem.Message);
        }
        finally
        {
            _terminated = null;
        }
    }

    private Answer Execute(CommandDefinition function, CommandCall call, in FrameHeader task, TaskDirectory directory, WorkerWelcome limits, Task terminated)
    {
        var environment = Environment(call, task);
        var program = call.Command[0].Contains('/') ? Path.Combine(directory.Path, call.Command[0]) : Spawn.Find(call.Command[0], environment);
        if (program is null || !File.Exists(program))
            return Answer.Failed("CommandNotFound", $"there is no program '{call.Command[0]}' on this node{(call.Command[0].Contains('/') ? "" : $"; PATH is {Pools.NodeEnvironment.Value(environment, "PATH")}")}");
        var request = new SpawnRequest { Program = program, Arguments = call.Command, Environment = environment, Directory = directory.Path };
        using var output = new CommandOutput(directory, limits.OutputLimit);
        if (!_watch.TryStart(request, output, call.Stdin, out var problem))
            return Answer.Failed("CommandNotStarted", $"'{call.Command[0]}' cannot be run: {problem}");
        var end = _watch.Wait(output, function.Walltime, () => terminated.IsCompleted);
        // By the manager, which has the outcome, or by who ends the whole job.
        if (terminated.IsCompleted || (end.ReturnCode is -Libc.SIGTERM or 128 + Libc.SIGTERM && terminated.Wait(s_word)))
            return Answer.Failed("Terminated", "the command was ended before it was done", outcome: TaskOutcome.Cancelled) with { Stdout = output.Stdout.Take(), Stderr = output.Stderr.Take() };
        return new CommandReport(function, call, end, output, directory, limits).ToAnswer();
    }

    private static List<string> Environment(CommandCall call, in FrameHeader task)
    {
        var own = System.Environment.GetEnvironmentVariables();
        var environment = new List<string>(own.Count + call.Environment.Count + 1);
        foreach (System.Collections.DictionaryEntry variable in own)
        {
            if (!call.Environment.Any(pair => pair.Key == (string)variable.Key))
                environment.Add($"{variable.Key}={variable.Value}");
        }

        environment.AddRange(call.Environment.Select(static pair => $"{pair.Key}={pair.Value}"));
        environment.Add($"FUNCX_TASK_ID={task.Task}");
        return environment;
    }
}
