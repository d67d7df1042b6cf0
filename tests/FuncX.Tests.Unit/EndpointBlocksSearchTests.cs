using FuncX.Providers;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Jobs of which it is not known whose they are, and blocks of which it is not known whether they have one.</summary>
public sealed class EndpointBlocksSearchTests : EndpointBlocksHarness
{
    [Fact]
    public async Task A_submission_without_an_answer_is_neither_repeated_nor_given_up_until_its_job_is_found()
    {
        var provider = new UnclearProvider();
        var supervisor = await StartAsync("", "127.0.0.1:1111", provider: provider);
        supervisor.Request("b1");
        await EventuallyAsync(() => supervisor.Current() is [{ State: BlockState.Pending, JobId: "", Reason: "the scheduler is away" }]);
        provider.Found = () => "7";
        await EventuallyAsync(() => Reports.Contains("running b1"));
        supervisor.Current().ShouldHaveSingleItem().JobId.ShouldBe("7");
        provider.Submissions.ShouldBe(1);
    }

    [Fact]
    public async Task A_submission_of_which_no_job_is_found_for_half_a_minute_has_failed()
    {
        var (provider, time) = (new UnclearProvider { Found = () => null }, new FakeTimeProvider());
        var supervisor = await StartAsync("", "127.0.0.1:1111", provider: provider, time: time);
        supervisor.Request("b1");
        await EventuallyAsync(() => supervisor.Current() is [{ Reason: "no answer within 100 s" }]);
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return Reports.Any(report => report.StartsWith("ended b1 failed: the unclear provider took no job for block b1: no answer within 100 s", StringComparison.Ordinal));
        });
        provider.Submissions.ShouldBe(1);
    }

    [Fact]
    public async Task Jobs_that_no_block_has_are_looked_for_at_a_start_by_the_endpoints_identity()
    {
        var provider = new UnclearProvider { Found = () => "7" };
        var first = await StartBlockAsync("", provider: provider);
        await first.StopAsync(CancellationToken.None);
        await StartAsync("", "127.0.0.1:2222", provider: provider);
        var questions = provider.OrphanQuestions.ToArray();
        questions.Select(question => question.Blocks).ShouldBe([[], ["b1"]]);
        questions[0].Owner.ShouldBe(questions[1].Owner);
        questions[0].Owner.ShouldMatch("^[0-9a-f]{10}$");
    }

    [Fact]
    public async Task Jobs_that_no_block_has_are_looked_for_until_that_has_succeeded_also_while_there_is_no_block()
    {
        var (provider, time) = (new UnclearProvider { HidesJobs = true }, new FakeTimeProvider());
        await StartAsync("", "127.0.0.1:1111", provider: provider, time: time);
        provider.OrphanQuestions.Count.ShouldBe(1);
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return provider.OrphanQuestions.Count == 3;
        });
        provider.HidesJobs = false;
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return provider.OrphanQuestions.Count == 4;
        });
        for (var i = 0; i < 100; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }

        provider.OrphanQuestions.Count.ShouldBe(4);
    }
}
