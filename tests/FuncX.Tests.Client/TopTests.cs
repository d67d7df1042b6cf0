using System.Diagnostics;
using System.Text;
using FuncX.Cli.Commands;
using FuncX.Contracts.V1;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Spectre.Console;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary><c>funcx top</c>: each figure changes with what the service says of it, in a line and on the screen.</summary>
public sealed class TopTests : LiveCommandHarness
{
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(20);

    public static TheoryData<string, Action<EndpointInfo>> EndpointFigures => new()
    {
        { "offline busy 0 workers 4 waiting 0 running 0 done 100 done_per_s 0.0", static endpoint => endpoint.Online = false },
        { "online busy 3 workers 4 waiting 0 running 0 done 100 done_per_s 0.0", static endpoint => endpoint.Status.WorkersBusy = 3 },
        { "online busy 0 workers 8 waiting 0 running 0 done 100 done_per_s 0.0", static endpoint => endpoint.Status.Workers = 8 },
        { "online busy 0 workers 4 waiting 5 running 0 done 100 done_per_s 0.0", static endpoint => endpoint.Queued = 5 },
        { "online busy 0 workers 4 waiting 6 running 0 done 100 done_per_s 0.0", static endpoint => endpoint.Status.Queued = 6 },
        { "online busy 0 workers 4 waiting 0 running 7 done 100 done_per_s 0.0", static endpoint => endpoint.Status.Running = 7 },
        { "online busy 0 workers 4 waiting 0 running 0 done 150 done_per_s 25.0", static endpoint => endpoint.Status.Completed = 150 },
        { "online busy 0 workers 4 waiting 0 running 0 done 50 done_per_s 0.0", static endpoint => endpoint.Status.Completed = 50 },
        { "online busy 0 workers 4 waiting 0 running 0 done 100 done_per_s 0.0 no block", static endpoint => endpoint.Status.Note = "no block" },
    };

    public static TheoryData<string, Action<GroupInfo>> GroupFigures => new()
    {
        { "tasks 20 waiting 0 running 0 done 10 failed 0 done_per_s 0.0", static group => group.Tasks = 20 },
        { "tasks 10 waiting 3 running 0 done 10 failed 0 done_per_s 0.0", static group => group.Queued = 3 },
        { "tasks 10 waiting 0 running 4 done 10 failed 0 done_per_s 0.0", static group => group.Dispatched = 4 },
        { "tasks 10 waiting 0 running 0 done 12 failed 0 done_per_s 1.0", static group => group.Done = 12 },
        { "tasks 10 waiting 0 running 0 done 10 failed 2 done_per_s 0.0", static group => group.Failed = 2 },
    };

    [Theory]
    [MemberData(nameof(EndpointFigures))]
    public void A_figure_of_an_endpoint_follows_it(string line, Action<EndpointInfo> cause) => Compare(cause, static _ => { }, $"endpoint lab {line}");

    [Theory]
    [MemberData(nameof(GroupFigures))]
    public void A_figure_of_a_group_follows_it(string line, Action<GroupInfo> cause) => Compare(static _ => { }, cause, $"group g {line}");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_goes_on_until_it_is_interrupted(bool json)
    {
        var endpoint = Service.State.AddEndpoint("lab");
        var process = Start(json);
        await SeesAsync(process, json ? "\"busy\":0,\"workers\":2" : "endpoint lab online busy 0 workers 2");
        endpoint.Status.WorkersBusy = 2;
        endpoint.Status.Completed = 1_000;
        await SeesAsync(process, json ? "\"busy\":2,\"workers\":2" : "busy 2 workers 2 waiting 0 running 0 done 1000 done_per_s");
        using var kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        await process.WaitForExitAsync(Token).WaitAsync(Moment, Token);
        process.ExitCode.ShouldBe(0);
        (await process.StandardError.ReadToEndAsync(Token)).ShouldBe("");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_names_it_shows_the_unfinished_groups_of_each_moment(bool json)
    {
        var (function, endpoint) = (Service.State.AddFunction("same"), Service.State.AddEndpoint("lab"));
        Service.State.Holding = true;
        await using var client = Service.Client(new FuncX.Client.FuncXClientOptions { Group = "one" });
        await (await client.SubmitAsync<int, int>(function, endpoint, 1)).Accepted;
        var process = Start(json);
        await SeesAsync(process, json ? "\"name\":\"one\",\"tasks\":1,\"waiting\":1" : "group one tasks 1 waiting 1");
        await using var other = Service.Client(new FuncX.Client.FuncXClientOptions { Group = "two" });
        await (await other.SubmitAsync<int, int>(function, endpoint, 2)).Accepted;
        await SeesAsync(process, json ? "\"name\":\"two\",\"tasks\":1" : "group two tasks 1");
        Service.State.Release();
        // Of lines two in a row of the only endpoint say that no group stood between.
        if (json)
            await SeesAsync(process, "\"groups\":[]");
        else
            await SeesAsync(process, static lines => lines is [.., var before, var last] && before.Contains(" endpoint ", StringComparison.Ordinal) && last.Contains(" endpoint ", StringComparison.Ordinal));
        Service.State.GroupLists.ShouldAllBe(static request => request.Recent && request.Unfinished && request.Limit == 20);
    }

    [Fact]
    public void A_group_that_is_shown_again_after_a_while_begins_anew()
    {
        var time = new FakeTimeProvider();
        var (group, view) = (new GroupInfo { Group = "g", Tasks = 10, Done = 1 }, new TopView());
        view.Take([], [group], time.GetTimestamp(), time);
        time.Advance(TimeSpan.FromSeconds(2));
        view.Take([], [], time.GetTimestamp(), time);
        time.Advance(TimeSpan.FromSeconds(2));
        group.Done = 9;
        view.Take([], [group], time.GetTimestamp(), time);
        view.Groups.ShouldHaveSingleItem().DonePerS.ShouldBe(0);
    }

    private static void Compare(Action<EndpointInfo> ofEndpoint, Action<GroupInfo> ofGroup, string line)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        var endpoint = new EndpointInfo { EndpointId = "id", Name = "lab", Online = true, Status = new EndpointStatus { Workers = 4, Completed = 100 } };
        var group = new GroupInfo { Group = "g", Tasks = 10, Done = 10 };
        var view = new TopView();
        view.Take([endpoint], [group], time.GetTimestamp(), time);
        var (lines, screen) = (view.Lines(time.GetUtcNow()).ToList(), Text(view));
        time.Advance(TimeSpan.FromSeconds(2));
        ofEndpoint(endpoint);
        ofGroup(group);
        view.Take([endpoint], [group], time.GetTimestamp(), time);
        var changed = view.Lines(time.GetUtcNow().AddSeconds(-2)).Zip(lines).Where(static pair => pair.First != pair.Second).ShouldHaveSingleItem();
        changed.First.ShouldBe($"2026-01-02T03:04:05.000Z {line}");
        // What changes on a line changes in a row of the screen.
        Text(view).Zip(screen).Count(static pair => pair.First != pair.Second).ShouldBe(1);
    }

    private static string[] Text(TopView view)
    {
        var text = new StringWriter(new StringBuilder());
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = 200;
        console.Write(view.Screen());
        return text.ToString().Split('\n').Select(static line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Where(static line => !line.All(static letter => letter is '─' or ' ' or '-')).ToArray();
    }

    private Process Start(bool json) => Start(["top", "--interval", "0.1", .. json ? ["--json"] : Array.Empty<string>()]);

    private static Task SeesAsync(Process process, string text) => SeesAsync(process, lines => lines.Any(line => line.Contains(text, StringComparison.Ordinal)));

    private static async Task SeesAsync(Process process, Predicate<List<string>> seen)
    {
        var lines = new List<string>();
        while (!seen(lines))
        {
            var line = await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Moment, Token);
            lines.Add(line ?? throw new InvalidOperationException($"it ended before it showed what was waited for: {string.Join('\n', lines)}"));
        }
    }
}
