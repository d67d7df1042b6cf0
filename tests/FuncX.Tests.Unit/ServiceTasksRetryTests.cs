using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Tasks whose function fails, and whose submission wants them tried again.</summary>
public sealed class ServiceTasksRetryTests : IDisposable
{
    private readonly EngineHarness _harness = new();

    public void Dispose() => _harness.Dispose();

    [Fact]
    public async Task It_runs_again_until_it_has_a_value_and_nobody_hears_of_the_failures()
    {
        var task = await SubmitAsync(new RetryPolicy(3, 0, []));
        var link = await _harness.ConnectAsync();

        await TakesAsync(link, task, 1);
        await EndAsync(link, task, 1, "ValueError");
        await TakesAsync(link, task, 2);
        await EndAsync(link, task, 2, "ValueError");
        await TakesAsync(link, task, 3);
        // The first failure comes again: its acknowledgement was lost.
        await EndAsync(link, task, 1, "ValueError");
        await NothingAsync(link);
        await EndAsync(link, task, 3, null);

        (await OutcomeAsync(task)).ShouldBe(Outcome.Value);
        _harness.Restart();
        (await OutcomeAsync(task)).ShouldBe(Outcome.Value);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_ends_as_it_failed_after_so_many_times_also_when_the_service_was_started_anew(bool snapshot)
    {
        var task = await SubmitAsync(new RetryPolicy(2, 0, []));
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, task, 1);
        await EndAsync(link, task, 1, "ValueError");

        if (snapshot)
            await _harness.Engine.SnapshotAsync();
        _harness.Restart();
        link = await _harness.ConnectAsync();
        await TakesAsync(link, task, 2);
        await EndAsync(link, task, 2, "ValueError");
        await TakesAsync(link, task, 3);
        await EndAsync(link, task, 3, "ValueError");

        (await OutcomeAsync(task)).ShouldBe(Outcome.Exception);
        await NothingAsync(link);
    }

    [Theory]
    [InlineData("ValueError", "ValueError", true)]
    [InlineData("ValueError", "KeyError", false)]
    [InlineData("URLError", "urllib.error.URLError", true)]
    [InlineData("Error", "urllib.error.URLError", false)]
    [InlineData("urllib.error.URLError", "urllib.error.URLError", true)]
    [InlineData("KeyError,ValueError", "ValueError", true)]
    [InlineData("*", "Whatever", true)]
    [InlineData("", "Whatever", true)]
    [InlineData("", "TimedOut", false)]
    [InlineData("*", "TimedOut", false)]
    [InlineData("TimedOut", "TimedOut", true)]
    [InlineData("TimedOut", "ValueError", false)]
    public async Task Only_what_it_names_is_tried_again(string on, string failure, bool again)
    {
        var task = await SubmitAsync(new RetryPolicy(1, 0, on.Split(',', StringSplitOptions.RemoveEmptyEntries)));
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, task, 1);

        await EndAsync(link, task, 1, failure);

        if (again)
            await TakesAsync(link, task, 2);
        else
            (await OutcomeAsync(task)).ShouldBe(failure == "TimedOut" ? Outcome.TimedOut : Outcome.Exception);
    }

    [Fact]
    public async Task A_failure_too_large_to_stay_in_memory_is_known_by_its_type_and_its_file_given_back()
    {
        var task = await SubmitAsync(new RetryPolicy(1, 0, ["ValueError"]));
        var link = await _harness.ConnectAsync();
        await TakesAsync(link, task, 1);

        await EndAsync(link, task, 1, "ValueError", new string('m', 200_000));
        await TakesAsync(link, task, 2);
        await EndAsync(link, task, 2, "ValueError", new string('m', 200_000));

        (await OutcomeAsync(task)).ShouldBe(Outcome.Exception);
    }

    [Fact]
    public async Task It_pauses_twice_as_long_each_time_and_can_be_cancelled_meanwhile()
    {
        var (task, other) = (await SubmitAsync(new RetryPolicy(5, 10_000, [])), await SubmitAsync(new RetryPolicy(5, 10_000, [])));
        var link = await _harness.ConnectAsync();
        (await _harness.TakeAsync(link)).Tasks.Count.ShouldBe(2);
        await EndAsync(link, task, 1, "ValueError");
        await EndAsync(link, other, 1, "ValueError");
        await NothingAsync(link);
        await AfterAsync(8);
        await NothingAsync(link);
        (await _harness.Engine.CancelAsync(EngineHarness.Owner, [other], null)).ShouldBe(1);
        await AfterAsync(3);
        await TakesAsync(link, task, 2);
        await EndAsync(link, task, 2, "ValueError");
        await AfterAsync(18);
        await NothingAsync(link);
        await AfterAsync(3);
        await TakesAsync(link, task, 3);
        await EndAsync(link, task, 3, null);

        (await OutcomeAsync(task)).ShouldBe(Outcome.Value);
        (await OutcomeAsync(other)).ShouldBe(Outcome.Cancelled);
    }

    [Fact]
    public async Task It_pauses_also_when_others_of_its_batch_wait_for_credit()
    {
        var batch = _harness.Batch(3) with { Retry = new RetryPolicy(5, 10_000, []) };
        (await _harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        var tasks = Enumerable.Range(0, 3).Select(index => new TaskId(batch.Key.Id, (uint)index)).ToList();
        var link = new LinkSession(EngineHarness.Owner, "ann", "one", "1.0");
        (await _harness.Engine.ConnectAsync(link, EngineHarness.Endpoint, "a newer one")).ShouldBeTrue();
        _harness.Engine.Credit(link, 1, 1 << 20, inline: true);
        (await _harness.Engine.ReconcileAsync(link, [])).ShouldBeTrue();
        await TakesAsync(link, tasks[0], 1);

        await EndAsync(link, tasks[0], 1, "ValueError");
        _harness.Engine.Credit(link, 10, 1 << 20, inline: true);

        (await _harness.TakeAsync(link)).Tasks.ShouldBe([(tasks[1], (ushort)1), (tasks[2], (ushort)1)]);
        await AfterAsync(11);
        await TakesAsync(link, tasks[0], 2);
    }

    [Fact]
    public async Task What_failed_often_is_not_lost_sooner_with_an_endpoint_that_is_started_anew()
    {
        var task = await SubmitAsync(new RetryPolicy(100, 0, []));
        var link = await _harness.ConnectAsync();
        for (ushort attempt = 1; attempt <= 40; attempt++)
        {
            await TakesAsync(link, task, attempt);
            await EndAsync(link, task, attempt, "ValueError");
        }

        await TakesAsync(link, task, 41);
        link = await _harness.ConnectAsync("two");
        await TakesAsync(link, task, 42);
    }

    [Fact]
    public async Task It_is_not_tried_again_once_it_is_to_be_cancelled_or_when_its_deadline_comes_before()
    {
        var cancelled = await SubmitAsync(new RetryPolicy(5, 0, []));
        var late = await SubmitAsync(new RetryPolicy(5, 60_000, []), deadline: _harness.Engine.Now + 30_000_000);
        var link = await _harness.ConnectAsync();
        (await _harness.TakeAsync(link)).Tasks.Count.ShouldBe(2);
        await _harness.Engine.CancelAsync(EngineHarness.Owner, [cancelled], null);

        await EndAsync(link, cancelled, 1, "ValueError");
        await EndAsync(link, late, 1, "ValueError");

        (await OutcomeAsync(cancelled)).ShouldBe(Outcome.Exception);
        (await OutcomeAsync(late)).ShouldBe(Outcome.Exception);
    }

    [Theory]
    [InlineData(0u, 0u, 1, "retry.times is 0")]
    [InlineData(0u, 5u, 0, "retry.times is 0")]
    [InlineData(1u, 86_400_001u, 0, "retry.backoff_ms is 86400001; up to 86400000 is right")]
    [InlineData(1u, 0u, 33, "retry.on has 33 types; the most is 32")]
    public void What_cannot_be_meant_is_refused(uint times, uint backoff, int types, string why)
    {
        var request = ServiceTasksPlayed.Request(new string('0', 64), "e", 1);
        request.Options = new TaskOptions { Retry = new RetryOptions { Times = times, BackoffMs = backoff, On = { Enumerable.Repeat("E", types) } } };

        var refused = SubmissionReader.CheckShape(request);

        (refused.Status, refused.Message.Contains(why, StringComparison.Ordinal)).ShouldBe((StatusCode.InvalidArgument, true), refused.Message);
    }

    [Fact]
    public void It_is_part_of_what_makes_two_submissions_the_same()
    {
        var request = ServiceTasksPlayed.Request(new string('0', 64), "e", 1);
        var plain = SubmissionReader.Hash(request, 1, 2);
        request.Options = new TaskOptions { Retry = new RetryOptions { Times = 1 } };
        var once = SubmissionReader.Hash(request, 1, 2);
        request.Options.Retry.Times = 2;
        new HashSet<UInt128> { plain, once, SubmissionReader.Hash(request, 1, 2) }.Count.ShouldBe(3);
    }

    private async Task<TaskId> SubmitAsync(RetryPolicy retry, long deadline = 0)
    {
        var batch = _harness.Batch(1, deadline: deadline) with { Retry = retry };
        (await _harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        return new TaskId(batch.Key.Id, 0);
    }

    private async Task TakesAsync(LinkSession link, TaskId task, ushort attempt) => (await _harness.TakeAsync(link)).Tasks.ShouldBe([(task, attempt)]);

    private async Task NothingAsync(LinkSession link) => (await _harness.TakeAsync(link)).Tasks.ShouldBeEmpty();

    private Task EndAsync(LinkSession link, TaskId task, ushort attempt, string? failure, string message = "no")
    {
        var outcome = failure switch { null => TaskOutcome.Value, "TimedOut" => TaskOutcome.TimedOut, _ => TaskOutcome.Exception };
        return _harness.EndAsync(link, task, attempt, outcome, failure is null ? "1"u8.ToArray() : JsonSerializer.SerializeToUtf8Bytes(new FailureBody(failure, message)));
    }

    private async Task AfterAsync(int seconds)
    {
        _harness.Time.Advance(TimeSpan.FromSeconds(seconds));
        await _harness.Engine.LookAsync(static _ => true);
    }

    private async Task<Outcome> OutcomeAsync(TaskId task) => EngineHarness.Outcomes(await _harness.ReadAsync())[task];
}
