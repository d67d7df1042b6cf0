using System.Text.Json;
using FuncX.Client;
using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Tasks that run after others of their group.</summary>
public sealed class ServiceTasksAfterTests : IDisposable
{
    private readonly EngineHarness _harness = new();

    public enum Between
    {
        Nothing,
        Restart,
        SnapshotAndRestart,
    }

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData(Between.Nothing)]
    [InlineData(Between.Restart)]
    [InlineData(Between.SnapshotAndRestart)]
    public async Task A_task_waits_for_all_that_it_runs_after_and_then_runs(Between between)
    {
        var (first, second) = (await SubmitAsync(), await SubmitAsync(2));
        var task = await SubmitAsync(1, $"{first}-0", $"{second}");
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0), (second, 0), (second, 1));
        (await InfoAsync(task)).WaitingFor.ShouldBe(2u);
        (await GroupAsync()).Waiting.ShouldBe(1);

        await EndAsync(link, first, 0, TaskOutcome.Value);
        await EndAsync(link, second, 1, TaskOutcome.Value);
        await TakesAsync(link);
        link = await BetweenAsync(between, link, (second, 0));
        await TakesAsync(link);
        (await InfoAsync(task)).WaitingFor.ShouldBe(1u);
        await EndAsync(link, second, 0, TaskOutcome.Value);

        await TakesAsync(link, (task, 0));
        var info = await InfoAsync(task);
        (info.State, info.WaitingFor, (await GroupAsync()).Waiting).ShouldBe((TaskState.Dispatched, 0u, 0L));
        link = await BetweenAsync(between, link, (task, 0));
        await EndAsync(link, task, 0, TaskOutcome.Value);
        (await OutcomeAsync(task)).ShouldBe(Outcome.Value);
    }

    [Theory]
    [InlineData(Between.Nothing, TaskOutcome.Exception)]
    [InlineData(Between.Restart, TaskOutcome.TimedOut)]
    [InlineData(Between.SnapshotAndRestart, TaskOutcome.TooLarge)]
    public async Task What_waits_for_a_task_that_fails_ends_without_running_and_so_does_what_waits_for_that(Between between, TaskOutcome failure)
    {
        var (first, other) = (await SubmitAsync(), await SubmitAsync());
        var second = await SubmitAsync(3, $"{first}-0", $"{other}-0");
        var third = await SubmitAsync(1, $"{second}-2");
        var fourth = await SubmitAsync(1, $"{third}");
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0), (other, 0));
        link = await BetweenAsync(between, link, (first, 0), (other, 0));

        await EndAsync(link, first, 0, failure);

        await TakesAsync(link);
        foreach (var (batch, failed, words) in new[] { (second, $"Task {first}-0", $"{failure}"), (third, $"Task {second}-2", "Rejected"), (fourth, $"Batch {third}", "") })
        {
            var info = await InfoAsync(batch);
            info.Outcome.ShouldBe(Outcome.Rejected);
            var said = JsonSerializer.Deserialize<FailureBody>(info.Value.Span)!;
            said.Type.ShouldBe("DependencyFailed");
            said.Message.ShouldStartWith(failed);
            said.Message.ShouldContain(words);
        }

        (await OutcomeAsync(second, 2)).ShouldBe(Outcome.Rejected);
        await EndAsync(link, other, 0, TaskOutcome.Value);
        await TakesAsync(link);
        var group = await GroupAsync();
        (group.Tasks, group.Done, group.Failed, group.Waiting, group.Queued).ShouldBe((7L, 7L, 6L, 0L, 0L));
        _harness.Restart();
        (await OutcomeAsync(fourth)).ShouldBe(Outcome.Rejected);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_has_ended_already_is_known_in_memory_and_on_disk(bool onDisk)
    {
        var batch = await SubmitAsync(3);
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (batch, 0), (batch, 1), (batch, 2));
        await EndAsync(link, batch, 0, TaskOutcome.Value);
        await EndAsync(link, batch, 1, TaskOutcome.Exception);
        // A batch has failed with the first of its tasks.
        (await OutcomeAsync(await SubmitAsync(1, $"{batch}"))).ShouldBe(Outcome.Rejected);
        await EndAsync(link, batch, 2, TaskOutcome.Value);
        if (onDisk)
            await _harness.Engine.IndexAllAsync();

        (await OutcomeAsync(await SubmitAsync(1, $"{batch}-1", $"{batch}-0"))).ShouldBe(Outcome.Rejected);
        (await OutcomeAsync(await SubmitAsync(1, $"{batch}"))).ShouldBe(Outcome.Rejected);
        var after = await SubmitAsync(1, $"{batch}-0", $"{batch}-2", $"{batch}-0");
        await TakesAsync(link, (after, 0));
    }

    [Fact]
    public async Task A_rejected_one_stays_so_when_the_service_ends_before_it_has_said_it()
    {
        var batch = await SubmitAsync();
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (batch, 0));
        await EndAsync(link, batch, 0, TaskOutcome.Exception);
        // More than one turn ends.
        var many = new List<BatchId>();
        for (var index = 0; index < 25; index++)
            many.Add(await SubmitAsync(10_000, $"{batch}-0"));
        _harness.Restart();
        link = await _harness.ConnectAsync();
        await TakesAsync(link);
        (await GroupAsync()).Failed.ShouldBe(250_001);
    }

    [Theory]
    [InlineData(Between.Nothing)]
    [InlineData(Between.SnapshotAndRestart)]
    public async Task More_than_a_turn_holds_ends_with_what_it_waited_for(Between between)
    {
        var first = await SubmitAsync();
        for (var index = 0; index < 25; index++)
            await SubmitAsync(10_000, $"{first}-0");
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0));
        link = await BetweenAsync(between, link, (first, 0));

        await EndAsync(link, first, 0, TaskOutcome.Exception);

        while ((await GroupAsync()).Queued > 0)
            await Task.Delay(1);
        (await GroupAsync()).Failed.ShouldBe(250_001);
        await TakesAsync(link);
    }

    [Fact]
    public async Task A_restart_counts_as_waiting_what_waits_and_nothing_else()
    {
        var first = await SubmitAsync();
        var second = await SubmitAsync(3, $"{first}-0");
        var third = await SubmitAsync(2, $"{second}");
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0));
        // One chunk has the result and what is handed out for it.
        await EndAsync(link, first, 0, TaskOutcome.Value);
        await TakesAsync(link, (second, 0), (second, 1), (second, 2));
        (await GroupAsync()).Waiting.ShouldBe(2);

        _harness.Restart();

        (await GroupAsync()).Waiting.ShouldBe(2);
        await _harness.Engine.SnapshotAsync();
        _harness.Restart();
        (await GroupAsync()).Waiting.ShouldBe(2);
        (await InfoAsync(third)).WaitingFor.ShouldBe(1u);
    }

    [Fact]
    public async Task What_ends_between_the_look_and_the_turn_is_looked_up_again()
    {
        var first = await SubmitAsync();
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0));
        await EndAsync(link, first, 0, TaskOutcome.Value);
        var record = _harness.Batch(1) with { After = [new Dependency(first, 0)] };

        (await _harness.Engine.SubmitAsync(record, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Unsettled);
        (await _harness.Engine.FindAsync(record.Key)).ShouldBeNull();

        await TakesAsync(link, (await SubmitAsync(1, $"{first}-0"), 0));
    }

    [Fact]
    public async Task Cancelling_and_deadlines_end_it_while_it_waits_and_end_what_waits_for_it()
    {
        var first = await SubmitAsync();
        var cancelled = await SubmitAsync(1, $"{first}-0");
        var behind = await SubmitAsync(1, $"{cancelled}-0");
        var late = await SubmitAsync(2, _harness.Engine.Now + 5_000_000, $"{first}-0");
        var behindLate = await SubmitAsync(1, $"{late}");
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0));

        (await _harness.Engine.CancelAsync(EngineHarness.Owner, [new TaskId(cancelled, 0)], null)).ShouldBe(1);
        (await OutcomeAsync(cancelled)).ShouldBe(Outcome.Cancelled);
        (await OutcomeAsync(behind)).ShouldBe(Outcome.Rejected);
        _harness.Time.Advance(TimeSpan.FromSeconds(6));
        await _harness.Engine.LookAsync(static _ => true);
        (await OutcomeAsync(late, 1)).ShouldBe(Outcome.Expired);
        (await OutcomeAsync(behindLate)).ShouldBe(Outcome.Rejected);
        await EndAsync(link, first, 0, TaskOutcome.Value);
        await TakesAsync(link);
        (await GroupAsync()).Waiting.ShouldBe(0);
    }

    [Fact]
    public async Task Cancelling_the_group_cancels_all_of_it()
    {
        var first = await SubmitAsync(2);
        var second = await SubmitAsync(1, $"{first}");
        (await _harness.Engine.CancelAsync(EngineHarness.Owner, [], "g")).ShouldBe(3);
        (await OutcomeAsync(second)).ShouldBe(Outcome.Cancelled);
        (await GroupAsync()).Waiting.ShouldBe(0);
    }

    [Fact]
    public async Task A_retried_failure_is_waited_out()
    {
        var record = _harness.Batch(1) with { Retry = new RetryPolicy(1, 0, []) };
        (await _harness.Engine.SubmitAsync(record, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        var second = await SubmitAsync(1, $"{record.Key.Id}-0");
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (record.Key.Id, 0));
        await EndAsync(link, record.Key.Id, 0, TaskOutcome.Exception);
        await TakesAsync(link, (record.Key.Id, 0));
        await EndAsync(link, record.Key.Id, 0, TaskOutcome.Value, attempt: 2);
        await TakesAsync(link, (second, 0));
    }

    [Fact]
    public async Task Those_that_were_cancelled_are_not_kept_until_what_they_waited_for_ends()
    {
        var first = await SubmitAsync(2);
        var kept = await SubmitAsync(1, $"{first}-0");
        for (var index = 0; index < 100; index++)
        {
            var cancelled = await SubmitAsync(1, $"{first}-0", $"{first}");
            await _harness.Engine.CancelAsync(EngineHarness.Owner, [new TaskId(cancelled, 0)], null);
        }

        var known = await _harness.Engine.LookAsync(state => state.Batches[new BatchKey(first, EngineHarness.Owner)].Dependents!.Values.SelectMany(static waiting => waiting).ToList());
        (known.Count, known.Count(static batch => batch.Waits is not null)).ShouldBe((known.Count, 1));
        known.Count.ShouldBeLessThan(20);
        (await _harness.Engine.LookAsync(static state => state.Dependents.WaitsOf(EngineHarness.Owner))).ShouldBe(1);
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, (first, 0), (first, 1));
        await EndAsync(link, first, 0, TaskOutcome.Value);
        await TakesAsync(link, (kept, 0));
    }

    [Theory]
    [InlineData(Between.Nothing)]
    [InlineData(Between.Restart)]
    [InlineData(Between.SnapshotAndRestart)]
    public async Task What_a_user_s_batches_wait_for_counts_against_the_limit_of_the_user(Between between)
    {
        using var harness = new EngineHarness(limits: new ServiceLimits { QueuePerUser = 10 });
        var first = await harness.SubmitAsync(3);
        (await SubmitAsync(0, 1, 2)).ShouldBe(SubmitOutcome.Accepted);
        if (between == Between.SnapshotAndRestart)
            await harness.Engine.SnapshotAsync();
        if (between != Between.Nothing)
            harness.Restart();
        var refused = await SubmitAsync(0, 1, 2);
        (refused.Status, refused.Message.Contains("of 1 tasks that wait for 3 others is refused: you have 4 unfinished tasks, your batches wait for 3 others, and the limit queue_per_user on both together is 10", StringComparison.Ordinal))
            .ShouldBe((StatusCode.ResourceExhausted, true), refused.Message);
        (await SubmitAsync(0, 1)).ShouldBe(SubmitOutcome.Accepted);
        (await harness.SubmitAsync(5)).Count.ShouldBe(5);
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
        (await harness.Engine.LookAsync(static state => state.Dependents.WaitsOf(EngineHarness.Owner))).ShouldBe(0);

        ValueTask<SubmitOutcome> SubmitAsync(params int[] after) =>
            harness.Engine.SubmitAsync(harness.Batch(1) with { After = [.. after.Select(index => new Dependency(first.Key.Id, index))] }, "e", "f", inline: true);
    }

    [Fact]
    public async Task What_it_names_must_be_known_and_of_its_group()
    {
        var (mine, elsewhere) = (await SubmitAsync(), _harness.Batch(1, group: "h"));
        await _harness.Engine.SubmitAsync(elsewhere, "e", "f", inline: true);
        var foreign = _harness.Batch(1);
        foreign = foreign with { Key = new BatchKey(foreign.Key.Id, EngineHarness.Owner + 1) };
        await _harness.Engine.SubmitAsync(foreign, "e", "f", inline: true);

        (await RefusedAsync($"{mine}-1")).ShouldBe((StatusCode.NotFound, $"{mine}-1, which was not found"));
        (await RefusedAsync($"{BatchId.New(1)}")).Status.ShouldBe(StatusCode.NotFound);
        (await RefusedAsync($"{foreign.Key.Id}-0")).Status.ShouldBe(StatusCode.NotFound);
        (await RefusedAsync($"{mine}", $"{elsewhere.Key.Id}-0")).ShouldBe((StatusCode.InvalidArgument, $"{elsewhere.Key.Id}-0 of group 'h'; only tasks of the same group can be waited for"));
    }

    [Theory]
    [InlineData("x", 1, "after names 'x'")]
    [InlineData("0193f1c2a4b77c1e90ab12cd-", 1, "after names '0193f1c2a4b77c1e90ab12cd-'")]
    [InlineData("0193f1c2a4b77c1e90ab12cd--1", 1, "after names '0193f1c2a4b77c1e90ab12cd--1'")]
    [InlineData("0193f1c2a4b77c1e90ab12cd-4294967295", 1, "after names '0193f1c2a4b77c1e90ab12cd-4294967295'")]
    [InlineData("0193f1c2a4b77c1e90ab12cd", 1_001, "after names 1001 tasks and batches; the most is 1000")]
    public void What_cannot_be_meant_is_refused(string name, int times, string why)
    {
        var request = ServiceTasksPlayed.Request(new string('0', 64), "e", 1);
        request.Options = new TaskOptions { After = { Enumerable.Repeat(name, times) } };

        var refused = SubmissionReader.CheckShape(request);

        (refused.Status, refused.Message.Contains(why, StringComparison.Ordinal)).ShouldBe((StatusCode.InvalidArgument, true), refused.Message);
    }

    [Fact]
    public void It_is_part_of_what_makes_two_submissions_the_same()
    {
        var request = ServiceTasksPlayed.Request(new string('0', 64), "e", 1);
        var plain = SubmissionReader.Hash(request, 1, 2);
        request.Options = new TaskOptions { After = { "0193f1c2a4b77c1e90ab12cd-0" } };
        var one = SubmissionReader.Hash(request, 1, 2);
        request.Options.After.Add("0193f1c2a4b77c1e90ab12cd-1");
        new HashSet<UInt128> { plain, one, SubmissionReader.Hash(request, 1, 2) }.Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_client_submits_it_with_small_and_large_arguments_and_is_told_what_was_submitted()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, credential) = ServiceTasksPlayed.Register(service);
        var tasks = new Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        var first = ServiceTasksPlayed.Request(function, endpoint, 1);
        var (small, large) = (ServiceTasksPlayed.Request(function, endpoint, 1), ServiceTasksPlayed.Request(function, endpoint, 1));
        var name = $"{BatchId.Read(first.BatchId.Span)}-0";
        (small.Options, large.Options) = (new TaskOptions { After = { name } }, new TaskOptions { After = { name } });
        ServiceTasksPlayed.Resize(large, 200_000);
        Should.Throw<RpcException>(() => tasks.Submit(small, bearer)).StatusCode.ShouldBe(StatusCode.NotFound);
        Should.Throw<RpcException>(() => tasks.Submit(large, bearer)).StatusCode.ShouldBe(StatusCode.NotFound);
        await tasks.SubmitAsync(first, bearer);
        (await tasks.SubmitAsync(small, bearer)).Already.ShouldBeFalse();
        (await tasks.SubmitAsync(large, bearer)).Already.ShouldBeFalse();
        (await tasks.SubmitAsync(large, bearer)).Already.ShouldBeTrue();
        (await tasks.SubmitAsync(small, bearer)).Already.ShouldBeTrue();
        var shown = await tasks.GetAsync(new GetTaskRequest { TaskId = $"{BatchId.Read(large.BatchId.Span)}-0", WithCall = true }, bearer);
        (shown.WaitingFor, shown.Call.Options.After.ShouldHaveSingleItem(), shown.Call.Arguments.Length).ShouldBe((1u, name, 200_000));
        (await tasks.GetGroupAsync(new GetGroupRequest { Group = "g" }, bearer)).Waiting.ShouldBe(2);

        using var link = await ServiceTasksPlayed.ConnectAsync(service, endpoint, credential);
        await ServiceTasksPlayed.AnswerAsync(link, 3);

        var group = await tasks.GetGroupAsync(new GetGroupRequest { Group = "g" }, bearer);
        (group.Done, group.Failed, group.Waiting).ShouldBe((3L, 0L, 0L));
        // What was accepted stays accepted, whatever has become of what it waited for.
        (await tasks.SubmitAsync(small, bearer)).Already.ShouldBeTrue();
    }

    [Fact]
    public async Task What_ran_after_a_whole_batch_runs_after_its_repetition_however_large()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = ServiceTasksPlayed.Register(service);
        var tasks = new Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        var (one, many, last) = (Submit(1), Submit(2_500), ServiceTasksPlayed.Request(function, endpoint, 1));
        last.Options = new TaskOptions { After = { $"{BatchId.Read(many.BatchId.Span)}", $"{BatchId.Read(one.BatchId.Span)}-0" } };
        Submit(2);
        await tasks.SubmitAsync(last, bearer);
        await tasks.CancelAsync(new CancelRequest { Group = "g" }, bearer);
        await using var client = new FuncXClient(new Uri(service.Address), service.AdminToken);

        (await client.ResubmitAsync(client.Tasks.ListAsync("g", TaskState.Done), "again")).ShouldBe((2_504L, 0L));

        var group = await tasks.GetGroupAsync(new GetGroupRequest { Group = "again" }, bearer);
        (group.Tasks, group.Queued, group.Waiting).ShouldBe((2_504L, 2_504L, 1L));
        var (before, waits) = (new List<BatchId>(), (TaskInfo?)null);
        await foreach (var task in client.Tasks.ListAsync("again"))
        {
            TaskId.TryParse(task.TaskId, out var id).ShouldBeTrue();
            if (task.WaitingFor > 0)
                waits = await client.Tasks.GetAsync(id, withCall: true);
            else
                before.Add(id.Batch);
        }

        // All of the many and the one, but not the other two.
        var names = waits!.Call.Options.After.Select(static name => Dependency.TryParse(name, out var named) ? named : default).ToList();
        names.Count.ShouldBeLessThan(10);
        names.Sum(name => name.Index == Dependency.Whole ? before.Count(batch => batch == name.Batch) : 1).ShouldBe(2_501);

        SubmitRequest Submit(int count)
        {
            var request = ServiceTasksPlayed.Request(function, endpoint, count);
            tasks.Submit(request, bearer);
            return request;
        }
    }

    [Fact]
    public async Task What_ran_after_a_failure_that_cannot_be_repeated_is_not_repeated_either()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = ServiceTasksPlayed.Register(service);
        var tasks = new Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        var (first, free, second, third) = (Request(), Request(), Request(), Request());
        ServiceTasksPlayed.Resize(first, 200_000);
        second.Options = new TaskOptions { After = { $"{BatchId.Read(first.BatchId.Span)}" } };
        third.Options = new TaskOptions { After = { $"{BatchId.Read(second.BatchId.Span)}-0" } };
        foreach (var request in new[] { first, free, second, third })
            await tasks.SubmitAsync(request, bearer);
        await tasks.CancelAsync(new CancelRequest { Group = "g" }, bearer);
        foreach (var file in Directory.EnumerateFiles(service.Directory, "*.seg", SearchOption.AllDirectories))
            File.Delete(file);
        await using var client = new FuncXClient(new Uri(service.Address), service.AdminToken);

        (await client.ResubmitAsync(client.Tasks.ListAsync("g", TaskState.Done), "again")).ShouldBe((1L, 3L));

        SubmitRequest Request() => ServiceTasksPlayed.Request(function, endpoint, 1);
    }

    private Task<BatchId> SubmitAsync(int count = 1, params string[] after) => SubmitAsync(count, 0, after);

    private async Task<BatchId> SubmitAsync(int count, long deadline, params string[] after)
    {
        var record = _harness.Batch(count, bytes: 0, deadline: deadline) with { After = after.Length == 0 ? null : Read(after) };
        var (settled, refused) = record.After is null ? (null, SubmitOutcome.Accepted) : await Reader().ReadAsync(record);
        refused.ShouldBe(SubmitOutcome.Accepted);
        (await _harness.Engine.SubmitAsync(record with { After = settled }, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        return record.Key.Id;
    }

    private async Task<(StatusCode Status, string Words)> RefusedAsync(params string[] after)
    {
        var (settled, refused) = await Reader().ReadAsync(_harness.Batch(1) with { After = Read(after) });
        settled.ShouldBeNull();
        return (refused.Status, refused.Message[(refused.Message.IndexOf("after ", StringComparison.Ordinal) + 6)..].Replace(". What it names must have been accepted before.", "", StringComparison.Ordinal));
    }

    private DependencyReader Reader() => new(_harness.Engine, _harness.TaskReader());

    private static List<Dependency> Read(string[] after) => [.. after.Select(static name => Dependency.TryParse(name, out var dependency) ? dependency : throw new ArgumentException(name))];

    private async Task<LinkSession> BetweenAsync(Between between, LinkSession link, params (BatchId Batch, int Index)[] held)
    {
        if (between == Between.Nothing)
            return link;
        if (between == Between.SnapshotAndRestart)
            await _harness.Engine.SnapshotAsync();
        var before = await _harness.Engine.PictureAsync();
        _harness.Restart();
        (await _harness.Engine.PictureAsync()).ShouldBe(before);
        return await _harness.ConnectAsync("one", [.. held.Select(static task => new InventoryEntry(new TaskId(task.Batch, (uint)task.Index), 1, HeldState.Running))]);
    }

    private async Task TakesAsync(LinkSession link, params (BatchId Batch, int Index)[] tasks) =>
        (await _harness.TakeAsync(link)).Tasks.Select(static sent => (sent.Task.Batch, (int)sent.Task.Index)).ShouldBe(tasks);

    private Task EndAsync(LinkSession link, BatchId batch, int index, TaskOutcome outcome, ushort attempt = 1) => _harness.EndAsync(
        link, new TaskId(batch, (uint)index), attempt, outcome, outcome == TaskOutcome.Value ? "1"u8.ToArray() : JsonSerializer.SerializeToUtf8Bytes(new FailureBody("ValueError", "no")));

    private async Task<TaskInfo> InfoAsync(BatchId batch, int index = 0) => (await _harness.TaskReader().GetAsync(EngineHarness.Owner, new TaskId(batch, (uint)index)))!;

    private async Task<Outcome> OutcomeAsync(BatchId batch, int index = 0) => (await InfoAsync(batch, index)).Outcome;

    private async Task<GroupInfo> GroupAsync() => (await _harness.TaskReader().GetGroupAsync(EngineHarness.Owner, "g"))!;
}
