using System.CommandLine;
using System.Runtime.CompilerServices;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Client.Results;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx group list|show|label|wait|results|rerun|cancel</c>.</summary>
internal static class GroupCommands
{
    public static Command Create(CommandLine commands) => new("group", "List, look at, label, wait for, read, repeat and cancel groups of tasks.")
    {
        List(commands),
        Show(commands),
        Label(commands),
        Wait(commands),
        Results(commands),
        Rerun(commands),
        Cancel(commands),
    };

    private static Command List(CommandLine commands)
    {
        var labels = LabelOption.Of("Only groups that have the label: a key, or KEY=VALUE. May be repeated: all of them are wanted.", "selector");
        var prefix = new Option<string?>("--prefix") { Description = "Only groups whose names begin so.", HelpName = "text" };
        var unfinished = new Option<bool>("--unfinished") { Description = "Only groups with tasks that have not ended." };
        var command = new Command("list", "List your groups by name, those that have ended among them until their results expire.") { labels, prefix, unfinished };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var groups = client.Tasks.ListGroupsAsync(
                invocation.Parsed.GetValue(labels), invocation.Parsed.GetValue(prefix) ?? "", invocation.Parsed.GetValue(unfinished), cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(await groups.Select(Document).ToListAsync(cancellation));
            else
                Write(invocation, await groups.ToListAsync(cancellation));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Label(CommandLine commands)
    {
        var name = Name();
        var labels = new Argument<string[]>("labels") { Description = "KEY=VALUE sets a label, KEY- removes it.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("label", "Set and remove labels of a group.") { name, labels };
        commands.On(command, async (invocation, cancellation) =>
        {
            var texts = invocation.Parsed.GetRequiredValue(labels).ToLookup(static text => text.EndsWith('-') && !text.Contains('='));
            var set = LabelOption.Read("the label", texts[false]);
            await using var client = invocation.Connect();
            Write(invocation, await client.Tasks.SetGroupLabelsAsync(invocation.Parsed.GetRequiredValue(name), set, texts[true].Select(static text => text[..^1]), cancellation));
            return ExitCodes.Ok;
        });
        return command;
    }

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

    private static Command Rerun(CommandLine commands)
    {
        var name = Name();
        var all = new Option<bool>("--all") { Description = "All tasks that have ended, not only those that failed." };
        var into = CallOptions.GroupOption("--group", "Group of the new calls");
        var command = new Command("rerun", "Submit the calls of a group's failed tasks again, as they were, in another group; its name is printed.") { name, all, into };
        commands.On(command, async (invocation, cancellation) =>
        {
            var (from, target) = (invocation.Parsed.GetRequiredValue(name), invocation.Parsed.GetValue(into) ?? FuncXClient.NewGroup());
            if (from == target)
                throw new UsageException("--group is the group itself; its tasks would be among those that are submitted again.");
            await using var client = invocation.Connect();
            var group = await client.Tasks.GetGroupAsync(from, cancellation);
            var every = invocation.Parsed.GetValue(all);
            await invocation.Terminal.Error.WriteLineAsync($"group {target}");
            var tasks = Ended(client, from, every, cancellation);
            var (submitted, forgotten) = await ProgressBar.RunAsync(
                invocation, $"group {target}", every ? group.Done : group.Failed, report => client.ResubmitAsync(tasks, target, report, cancellation));
            if (invocation.IsJson)
                invocation.WriteJson(new { Group = target, Submitted = submitted, Forgotten = forgotten });
            else
                await invocation.Terminal.Output.WriteLineAsync($"{target}");
            if (forgotten > 0)
                await invocation.Terminal.Error.WriteLineAsync($"funcx: the service has the arguments of {forgotten} tasks, or of what they ran after, no more; they were not submitted.");
            return forgotten == 0 ? ExitCodes.Ok : ExitCodes.Failed;
        });
        return command;
    }

    private static async IAsyncEnumerable<TaskInfo> Ended(FuncXClient client, string group, bool all, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var task in client.Tasks.ListAsync(group, TaskState.Done, cancellation))
        {
            if (all || task.Outcome is not Outcome.Value)
                yield return task;
        }
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

    private static object Document(GroupInfo group) =>
        new { group.Group, group.Tasks, group.Queued, group.Waiting, group.Dispatched, group.Done, group.Failed, Labels = Sorted(group), group.LastActive };

    private static void Write(Invocation invocation, GroupInfo group)
    {
        if (invocation.IsJson)
            invocation.WriteJson(Document(group));
        else
            Write(invocation, [group]);
    }

    private static void Write(Invocation invocation, IReadOnlyList<GroupInfo> groups)
    {
        var table = Tables.New("group", "tasks", "queued", "waiting", "dispatched", "done", "failed", "last active", "labels");
        foreach (var group in groups)
        {
            table.Add(
                group.Group, $"{group.Tasks}", $"{group.Queued}", $"{group.Waiting}", $"{group.Dispatched}", $"{group.Done}", $"{group.Failed}",
                group.LastActive == 0 ? "" : Tables.Time(group.LastActive), string.Join(' ', Sorted(group).Select(static label => $"{label.Key}={label.Value}")));
        }

        invocation.Terminal.People.Write(table);
    }

    private static SortedDictionary<string, string> Sorted(GroupInfo group) => new(group.Labels, StringComparer.Ordinal);
}
