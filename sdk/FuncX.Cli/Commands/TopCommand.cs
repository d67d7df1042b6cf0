using System.CommandLine;
using FuncX.Client;
using FuncX.Contracts.V1;
using Spectre.Console;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx top</c>: redrawn in place on a terminal; lines, or with <c>--json</c> a JSON object a line, where there is none.</summary>
internal static class TopCommand
{
    /// <summary>Groups shown when none are named: a screen of them.</summary>
    private const int MostGroups = 20;

    public static Command Create(CommandLine commands)
    {
        var groups = new Argument<string[]>("group") { Description = $"Groups to show below the endpoints; when left out the unfinished ones that were active last, {MostGroups} at most.", Arity = ArgumentArity.ZeroOrMore };
        var interval = new Option<double>("--interval") { Description = "How often", HelpName = "SECONDS", DefaultValueFactory = _ => 2 };
        interval.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0.1 and <= 3_600))
                result.AddError("--interval must be 0.1 to 3600 seconds.");
        });
        var command = new Command("top", "Watch your endpoints, and groups, until interrupted.") { groups, interval };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var named = invocation.Parsed.GetValue(groups) ?? [];
            var pause = TimeSpan.FromSeconds(invocation.Parsed.GetValue(interval));
            var console = invocation.Terminal.People;
            try
            {
                if (invocation.IsJson || !console.Profile.Capabilities.Ansi)
                    await FollowAsync(client, named, pause, view => Print(invocation, view), cancellation);
                else
                    await console.Live(Text.Empty).StartAsync(live => FollowAsync(client, named, pause, view => live.UpdateTarget(view.Screen()), cancellation));
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                // Whoever watched has seen enough.
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Print(Invocation invocation, TopView view)
    {
        var now = DateTimeOffset.UtcNow;
        if (invocation.IsJson)
        {
            invocation.WriteJson(new { Time = now, view.Endpoints, view.Groups });
        }
        else
        {
            foreach (var line in view.Lines(now))
                invocation.Terminal.Output.WriteLine(line);
        }

        invocation.Terminal.Output.Flush();
    }

    private static async Task<IReadOnlyList<GroupInfo>> GroupsAsync(FuncXClient client, string[] named, CancellationToken cancellation)
    {
        if (named.Length == 0)
            return await client.Tasks.ListRecentGroupsAsync(MostGroups, unfinished: true, cancellation);
        var groups = new List<GroupInfo>(named.Length);
        foreach (var name in named)
            groups.Add(await client.Tasks.GetGroupAsync(name, cancellation));
        return groups;
    }

    private static async Task FollowAsync(FuncXClient client, string[] named, TimeSpan pause, Action<TopView> show, CancellationToken cancellation)
    {
        var (view, time) = (new TopView(), TimeProvider.System);
        while (true)
        {
            var endpoints = await client.Endpoints.ListAsync(cancellation);
            var groups = await GroupsAsync(client, named, cancellation);
            view.Take(endpoints, groups, time.GetTimestamp(), time);
            show(view);
            await Task.Delay(pause, time, cancellation);
        }
    }
}
