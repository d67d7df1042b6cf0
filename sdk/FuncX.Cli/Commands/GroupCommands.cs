using System.CommandLine;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Client.Results;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx group show|wait|results|cancel</c>.</summary>
internal static class GroupCommands
{
    public static Command Create(CommandLine commands) => new("group", "Look at, wait for, read and cancel groups of tasks.")
    {
        Show(commands),
        Wait(commands),
        Results(commands),
        Cancel(commands),
    };

    private static Command Show(CommandLine commands)
    {
        var name = Name();
        var command = new Command("show", "Show how far a group is.") { name };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            Write(invocation, await client.Tasks.GetGroupAsync(invocation.Parsed.GetRequiredValue(name), cancellation));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Wait(CommandLine commands)
    {
        var name = Name();
        var command = new Command("wait", "Wait until all tasks of a group have ended; fails when one of them failed.") { name };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var named = invocation.Parsed.GetRequiredValue(name);
            var group = await client.Tasks.GetGroupAsync(named, cancellation);
            group = await ProgressBar.RunAsync(invocation, $"group {named}", group.Tasks, report => WaitAsync(client, group, report, cancellation));
            Write(invocation, group);
            return group.Failed == 0 ? ExitCodes.Ok : ExitCodes.Failed;
        });
        return command;
    }

    private static Command Results(CommandLine commands)
    {
        var name = Name();
        var cursor = WholeNumber.Option<ulong>("--cursor", "Go on after the result that says this cursor; some before it may come again", 0, ulong.MaxValue, 0);
        var command = new Command("results", "Print the outcomes of a group as JSON lines, until all tasks known so far have ended.") { name, cursor };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var failed = false;
            var results = client.Tasks.ResultsAsync(invocation.Parsed.GetRequiredValue(name), invocation.Parsed.GetValue(cursor), follow: false, cancellation);
            await foreach (var result in invocation.Terminal.FlushingAsync(results))
            {
                var failure = result.Failure;
                failed |= failure is not null;
                if (failure is null)
                    invocation.WriteJson(new { Task = result.TaskId.ToString(), Value = Values.Node(new RawResult(result.ContentType, result.Value)), result.Cursor });
                else
                    invocation.WriteJson(new { Task = result.TaskId.ToString(), Error = Failures.Document(failure), result.Cursor });
            }

            return failed ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    private static Command Cancel(CommandLine commands)
    {
        var name = Name();
        var command = new Command("cancel", "Cancel every task of a group that has not ended.") { name };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var cancelled = await client.Tasks.CancelGroupAsync(invocation.Parsed.GetRequiredValue(name), cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(new { Cancelled = cancelled });
            else
                await invocation.Terminal.Output.WriteLineAsync($"Cancelled {cancelled} tasks.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<string> Name() => new("group") { Description = "Name of the group." };

    /// <summary>The stream of results ends when all tasks known so far have ended; others may have been submitted since.</summary>
    private static async Task<GroupInfo> WaitAsync(FuncXClient client, GroupInfo group, Action<long> report, CancellationToken cancellation)
    {
        ulong cursor = 0;
        long done = 0;
        while (group.Done < group.Tasks)
        {
            await foreach (TaskResult result in client.Tasks.ResultsAsync(group.Group, cursor, follow: false, cancellation))
            {
                cursor = result.Cursor;
                if (++done < ProgressBar.Few || done % 256 == 0)
                    report(done);
            }

            group = await client.Tasks.GetGroupAsync(group.Group, cancellation);
        }

        return group;
    }

    private static void Write(Invocation invocation, GroupInfo group)
    {
        if (invocation.IsJson)
        {
            invocation.WriteJson(new { group.Group, group.Tasks, group.Queued, group.Dispatched, group.Done, group.Failed });
            return;
        }

        var table = Tables.New("group", "tasks", "queued", "dispatched", "done", "failed");
        table.Add(group.Group, $"{group.Tasks}", $"{group.Queued}", $"{group.Dispatched}", $"{group.Done}", $"{group.Failed}");
        invocation.Terminal.People.Write(table);
    }
}
