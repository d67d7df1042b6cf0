using System.CommandLine;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx task show|result|cancel</c>.</summary>
internal static class TaskCommands
{
    public static Command Create(CommandLine commands) => new("task", "Look at, read and cancel tasks.")
    {
        Show(commands),
        Result(commands),
        Cancel(commands),
    };

    private static Command Show(CommandLine commands)
    {
        var id = Id();
        var command = new Command("show", "Show a task and where its time went.") { id };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var task = await client.Tasks.GetAsync(Parse(invocation.Parsed.GetRequiredValue(id)), cancellation: cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(Document(task));
                return ExitCodes.Ok;
            }

            var table = Tables.New("task", task.TaskId);
            table.Add("function", task.FunctionId);
            table.Add("endpoint", task.EndpointId);
            table.Add("group", task.Group);
            table.Add("state", State(task));
            table.Add("attempts", $"{task.Attempts}");
            table.Add("lost", $"{task.Losses}; {task.MaxAttempts} end the task");
            if (task.Code != 0)
                table.Add(task.Outcome is Outcome.Value or Outcome.Exception ? "command ended" : "worker ended", task.Code < 0 ? $"signal {-task.Code}" : $"exit status {task.Code}");
            invocation.Terminal.People.Write(table);
            invocation.Terminal.People.Write(HopTable.Create("Where the time went", "time", HopTable.Hops(task.Times ?? new HopTimes())));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Result(CommandLine commands)
    {
        var id = Id();
        var wait = new Option<bool>("--wait") { Description = "Wait until the task has ended." };
        var output = new Option<FileInfo?>("--output", "-o") { Description = "Write the value as it is, JSON or bytes, to this file, and print where." };
        var command = new Command("result", "Print a task's value; what it wrote goes to standard error.") { id, wait, output };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var task = await GetAsync(client, Parse(invocation.Parsed.GetRequiredValue(id)), invocation.Parsed.GetValue(wait), cancellation);
            if (task.State != TaskState.Done)
                throw new FuncXException(FuncXErrorKind.Failed, $"Task {task.TaskId} has not ended yet ({State(task)}); --wait waits for it.");
            if (IsExpired(task))
                throw new FuncXException(FuncXErrorKind.NotFound, $"Task {task.TaskId} has ended, and its result has expired: the service keeps results for a limited time.");
            var failure = task.Outcome == Outcome.Value ? null : Failure(task);
            if (failure is null && invocation.Parsed.GetValue(output) is { } file)
                return await SaveAsync(invocation, client, task, file, cancellation);
            var value = new RawResult((ContentType)task.ContentType, failure is null ? await ValueAsync(client, task, cancellation) : default);
            if (invocation.IsJson)
            {
                invocation.WriteJson(failure is null
                    ? new { Task = task.TaskId, Outcome = "value", Value = Values.Node(value), Stdout = task.Stdout.ToStringUtf8(), Stderr = task.Stderr.ToStringUtf8() }
                    : new { Task = task.TaskId, Outcome = Failures.Name((TaskOutcome)(int)task.Outcome), Error = Failures.Document(failure), Stdout = task.Stdout.ToStringUtf8(), Stderr = task.Stderr.ToStringUtf8() });
            }
            else
            {
                await invocation.Terminal.Error.WriteAsync(task.Stdout.ToStringUtf8());
                await invocation.Terminal.Error.WriteAsync(task.Stderr.ToStringUtf8());
            }

            if (failure is not null)
                throw failure;
            if (!invocation.IsJson)
                await invocation.Terminal.Output.WriteLineAsync(Values.Text(value));
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>The value, which is not with the task when it is large.</summary>
    private static async Task<ReadOnlyMemory<byte>> ValueAsync(FuncXClient client, TaskInfo task, CancellationToken cancellation)
    {
        if (task.Value.Length > 0 || task.ValueBytes == 0)
            return task.Value.Memory;
        var value = new MemoryStream(checked((int)task.ValueBytes));
        await client.Tasks.ReadValueAsync(Parse(task.TaskId), value, cancellation);
        return value.GetBuffer().AsMemory(0, (int)value.Length);
    }

    private static async Task<int> SaveAsync(Invocation invocation, FuncXClient client, TaskInfo task, FileInfo file, CancellationToken cancellation)
    {
        // Whole or not there.
        var part = file.FullName + ".part";
        try
        {
            await using (var destination = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
                await client.Tasks.ReadValueAsync(Parse(task.TaskId), destination, cancellation);
            File.Move(part, file.FullName, overwrite: true);
        }
        finally
        {
            if (File.Exists(part))
                File.Delete(part);
        }

        var contentType = ((ContentType)task.ContentType).ToString().ToLowerInvariant();
        if (invocation.IsJson)
            invocation.WriteJson(new { Task = task.TaskId, Outcome = "value", ContentType = contentType, Bytes = task.ValueBytes, File = file.FullName });
        else
            await invocation.Terminal.Output.WriteLineAsync($"{task.ValueBytes} bytes ({contentType}) in {file.FullName}");
        return ExitCodes.Ok;
    }

    private static Command Cancel(CommandLine commands)
    {
        var ids = new Argument<string[]>("task") { Description = "Task ids, as BATCH-INDEX.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("cancel", "Cancel tasks that have not ended.") { ids };
        commands.On(command, async (invocation, cancellation) =>
        {
            var tasks = invocation.Parsed.GetRequiredValue(ids).Select(Parse).ToList();
            await using var client = invocation.Connect();
            var cancelled = await client.Tasks.CancelAsync(tasks, cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(new { Cancelled = cancelled });
            else
                await invocation.Terminal.Output.WriteLineAsync($"Cancelled {cancelled} of {tasks.Count}; the others had ended.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<string> Id() => new("task") { Description = "A task's id, as BATCH-INDEX: 24 hexadecimal digits, a hyphen, a number." };

    internal static TaskId Parse(string text) => TaskId.TryParse(text, out var id)
        ? id
        : throw new UsageException($"'{text}' is no task id; one is 24 hexadecimal digits, a hyphen and a number, as 0193f1c2a4b77c1e90ab12cd-17.");

    private static async Task<TaskInfo> GetAsync(FuncXClient client, TaskId id, bool wait, CancellationToken cancellation)
    {
        var pause = TimeSpan.FromMilliseconds(20);
        while (true)
        {
            var task = await client.Tasks.GetAsync(id, cancellation: cancellation);
            if (task.State == TaskState.Done || !wait)
                return task;
            await Task.Delay(pause, cancellation);
            pause = TimeSpan.FromMilliseconds(Math.Min(1_000, pause.TotalMilliseconds * 1.5));
        }
    }

    private static RemoteTaskException Failure(TaskInfo task) => new Client.Results.TaskResult(
        Parse(task.TaskId), (TaskOutcome)(int)task.Outcome, (ContentType)task.ContentType, task.Value.Memory, task.Stdout.Memory, task.Stderr.Memory, task.Code, 0).Failure!;

    /// <summary>The service still knows that the task has ended, and no more how.</summary>
    private static bool IsExpired(TaskInfo task) => task is { State: TaskState.Done, Outcome: Outcome.Unspecified };

    private static string State(TaskInfo task) => task.State switch
    {
        TaskState.Done when IsExpired(task) => "done; its result has expired",
        TaskState.Done => $"done: {Failures.Name((TaskOutcome)(int)task.Outcome)}",
        TaskState.Queued when task.WaitingFor > 0 => $"queued; runs after {task.WaitingFor} that have not ended",
        _ when task.WaitingReason.Length > 0 => $"{task.State.ToString().ToLowerInvariant()}; {task.WaitingReason}",
        _ => task.State.ToString().ToLowerInvariant(),
    };

    private static object Document(TaskInfo task) => new
    {
        Task = task.TaskId,
        task.FunctionId,
        task.EndpointId,
        task.Group,
        State = task.State.ToString().ToLowerInvariant(),
        Outcome = task.State == TaskState.Done && !IsExpired(task) ? Failures.Name((TaskOutcome)(int)task.Outcome) : null,
        task.WaitingFor,
        task.WaitingReason,
        task.Attempts,
        task.Losses,
        task.MaxAttempts,
        task.Code,
        Times = task.Times is { } times
            ? new
            {
                times.ClientSent, times.ServiceAccepted, times.ServiceCommitted, times.ServiceSent, times.EndpointReceived, times.EndpointSent,
                times.ManagerReceived, times.WorkerStarted, times.WorkerEnded, times.EndpointBack, times.ServiceBack, times.ResultCommitted,
            }
            : null,
        Hops = HopTable.Hops(task.Times ?? new HopTimes()).Select(hop => new { hop.Hop, hop.Microseconds }),
    };
}
