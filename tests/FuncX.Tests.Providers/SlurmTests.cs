using FuncX.Cluster;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Slurm;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>The provider against a real Slurm. Managers are shell scripts here; whole endpoints are in the integration tests.</summary>
public sealed class SlurmTests(SlurmFixture fixture) : IClassFixture<SlurmFixture>, IAsyncLifetime
{
    private const string Patient = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    private static readonly SlurmSettings s_settings = new() { Walltime = TimeSpan.FromMinutes(5), CoresPerNode = 2 };
    private readonly BlockScratch _scratch = new();

    [Fact]
    public async Task A_block_is_one_manager_on_each_node_and_ends_when_it_is_told_to()
    {
        var provider = Provider();
        var block = await SubmitAsync(provider, _scratch.Block(Patient, nodes: 3));
        await StateAsync(block, BlockState.Running);
        foreach (var node in (int[])[0, 1, 2])
            await Eventually.TrueAsync(() => BlockScratch.Arguments(block.Block, $"node-{node}").Length == 8, $"manager {node} runs", seen: () => Report(block));
        var arguments = BlockScratch.Arguments(block.Block, "node-1");
        arguments.ShouldBe(["--rendezvous", block.Block.Rendezvous, "--node", arguments[3], "--directory", Path.Combine(block.Block.Directory, "node-1"), "--walltime", "300"]);
        Enumerable.Range(0, 3).Select(node => BlockScratch.Arguments(block.Block, $"node-{node}")[3]).Distinct().Count().ShouldBe(3);
        (await provider.FindAsync(block.Block, TestContext.Current.CancellationToken)).ShouldBe(block.JobId);

        await provider.CancelAsync(block, TestContext.Current.CancellationToken);

        await StateAsync(block, BlockState.Cancelled);
        _scratch.IsInjected.ShouldBeFalse();
    }

    [Fact]
    public async Task A_partition_that_does_not_exist_is_refused_in_Slurms_words_with_the_key_to_look_at()
    {
        var refusal = await Should.ThrowAsync<BlockProviderException>(() => SubmitAsync(Provider(s_settings with { Partition = "debg" }), _scratch.Block(Patient)));
        refusal.ShouldNotBeOfType<BlockSubmissionUnclearException>();
        refusal.Message.ShouldContain("sbatch refused block");
        refusal.Message.ShouldContain("Invalid partition name specified");
        refusal.Message.ShouldEndWith("Check provider.partition");
    }

    [Fact]
    public async Task A_manager_that_fails_is_a_failed_block_with_its_exit_status_and_last_words()
    {
        var provider = Provider();
        var block = await SubmitAsync(provider, _scratch.Block("echo the disk is gone; exit 3"));
        await StateAsync(block, BlockState.Failed);
        var reason = (await StatusAsync(Provider(), block)).Reason;
        reason.ShouldContain("exit status 3");
        reason.ShouldContain("the disk is gone");
    }

    [Fact]
    public async Task A_block_whose_managers_leave_is_completed_and_one_that_somebody_cancelled_is_cancelled()
    {
        var provider = Provider();
        var (left, cancelled) = (await SubmitAsync(provider, _scratch.Block("exit 0")), await SubmitAsync(provider, _scratch.Block(Patient)));
        await RunningAsync(cancelled);
        await fixture.Lab.RunAsync("scancel", cancelled.JobId);
        await StateAsync(left, BlockState.Completed);
        await StateAsync(cancelled, BlockState.Cancelled);
    }

    [Fact]
    public async Task What_keeps_a_block_waiting_is_said()
    {
        var provider = Provider(s_settings with { Walltime = TimeSpan.FromHours(2) });
        var block = await SubmitAsync(provider, _scratch.Block(Patient));
        await StateAsync(block, BlockState.Pending);
        await Eventually.TrueAsync(async () => (await StatusAsync(Provider(), block)).Reason == "will not start as it was asked for; PartitionTimeLimit", "the reason is said");
        await provider.CancelAsync(block, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_requeued_block_waits_and_runs_again_under_the_same_id()
    {
        var provider = Provider();
        var block = await SubmitAsync(provider, _scratch.Block(Patient));
        await RunningAsync(block);
        await fixture.Lab.RunAsync("scontrol", "requeue", block.JobId);
        await StateAsync(block, BlockState.Pending);
        await Eventually.TrueAsync(async () => (await StatusAsync(Provider(), block)).Reason.Contains("BeginTime", StringComparison.Ordinal), "the reason is said");
        // What the two minutes are for that Slurm lets pass.
        await fixture.Lab.RunIsOverAsync(block.JobId);
        File.Delete(Path.Combine(block.Block.Directory, "node-0.arguments"));
        await fixture.Lab.RunAsync("scontrol", "update", $"jobid={block.JobId}", "StartTime=now");
        await RunningAsync(block);
        await provider.CancelAsync(block, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_block_makes_room_for_a_higher_partition_and_waits_for_its_nodes()
    {
        var provider = Provider();
        var block = await SubmitAsync(provider, _scratch.Block(Patient, nodes: 4));
        await RunningAsync(block);
        var high = Provider(s_settings with { Partition = "high" });
        var other = await SubmitAsync(high, _scratch.Block(Patient, nodes: 4));
        await StateAsync(other, BlockState.Running);
        await StateAsync(block, BlockState.Pending);
        await high.CancelAsync(other, TestContext.Current.CancellationToken);
        await provider.CancelAsync(block, TestContext.Current.CancellationToken);
        await StateAsync(block, BlockState.Cancelled);
    }

    [Fact]
    public async Task A_node_that_crashes_ends_neither_the_block_nor_the_managers_on_other_nodes()
    {
        var provider = Provider();
        var block = await SubmitAsync(provider, _scratch.Block(Patient, nodes: 2));
        await Eventually.TrueAsync(() => BlockScratch.Arguments(block.Block, "node-1").Length == 8, "both managers run", seen: () => Report(block));
        var lost = BlockScratch.Arguments(block.Block, "node-1")[3];
        await fixture.Lab.RunAsync("scontrol", "update", $"nodename={lost}", "state=down", "reason=crash");
        try
        {
            await Eventually.TrueAsync(async () => await fixture.Lab.RunAsync("squeue", "-h", "-j", block.JobId, "-o", "%D") == "1", "the job has one node left");
            (await StatusAsync(Provider(), block)).State.ShouldBe(BlockState.Running);
        }
        finally
        {
            await provider.CancelAsync(block, TestContext.Current.CancellationToken);
            // Its slurmd answers and has brought it back, or it is brought back by hand.
            await Eventually.TrueAsync(
                async () =>
                {
                    if ((await fixture.Lab.RunAsync("sinfo", "-h", "-N", "-p", "debug", "-n", lost, "-o", "%t")).Trim() == "idle")
                        return true;
                    await fixture.Lab.TryAsync("scontrol", "update", $"nodename={lost}", "state=resume");
                    return false;
                },
                $"{lost} is back");
        }

        await StateAsync(block, BlockState.Cancelled);
    }

    [Fact]
    public async Task A_controller_that_stands_still_changes_nothing_and_is_asked_less_often()
    {
        var provider = Provider();
        var block = await SubmitAsync(provider, _scratch.Block(Patient));
        await RunningAsync(block);
        var controller = ProcessIdentity.Of(fixture.Lab.PidOf("slurmctld"));
        controller.Stop().ShouldBeTrue();
        provider = new BatchProvider(new SlurmScheduler(s_settings), new CommandRunner(TimeSpan.FromSeconds(30)), TimeSpan.FromSeconds(10), TimeProvider.System);
        BlockProviderException away;
        try
        {
            away = await Should.ThrowAsync<BlockProviderException>(() => provider.QueryAsync([block], TestContext.Current.CancellationToken));
        }
        finally
        {
            controller.Continue();
        }

        away.Message.ShouldContain("slurm does not answer");
        provider.PollInterval.ShouldBe(TimeSpan.FromSeconds(20));
        // Nothing is asked until then: the answer stays unknown and ends nothing.
        (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
        await StateAsync(block, BlockState.Running);
        await provider.CancelAsync(block, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Jobs_of_this_endpoint_that_no_block_has_are_ended_and_those_of_others_are_not()
    {
        const string Owner = "9999999999";
        var provider = Provider();
        var (kept, orphan, other) = (await SubmitAsync(provider, _scratch.Block(Patient, owner: Owner)), await SubmitAsync(provider, _scratch.Block(Patient, owner: Owner)), await SubmitAsync(provider, _scratch.Block(Patient)));
        var ended = await provider.EndOrphansAsync(Owner, new HashSet<string> { kept.Block.BlockId }, _scratch.Home, TestContext.Current.CancellationToken);
        ended.ShouldBe([orphan.JobId]);
        await StateAsync(orphan, BlockState.Cancelled);
        foreach (var block in (SubmittedBlock[])[kept, other])
        {
            (await StatusAsync(Provider(), block)).State.ShouldBeOneOf(BlockState.Pending, BlockState.Running);
            await provider.CancelAsync(block, TestContext.Current.CancellationToken);
        }
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (SlurmLab.Missing is null)
        {
            foreach (var job in await fixture.Lab.JobsAsync())
                await fixture.Lab.RunAsync("scancel", job.Split(' ')[0]);
            await Eventually.TrueAsync(async () => (await fixture.Lab.JobsAsync()).Length == 0, "no job is left");
        }

        _scratch.Dispose();
    }

    private BatchProvider Provider(SlurmSettings? settings = null)
    {
        _ = fixture.Lab;
        return new BatchProvider(new SlurmScheduler(settings ?? s_settings), new CommandRunner(TimeSpan.FromSeconds(30)), TimeSpan.FromMilliseconds(10), TimeProvider.System);
    }

    private static async Task<SubmittedBlock> SubmitAsync(BatchProvider provider, BlockRequest block) => new(block, await provider.SubmitAsync(block, TestContext.Current.CancellationToken));

    private static async Task<BlockStatus> StatusAsync(BatchProvider provider, SubmittedBlock block) => (await provider.QueryAsync([block], TestContext.Current.CancellationToken)).Single();

    private async Task StateAsync(SubmittedBlock block, BlockState state)
    {
        var seen = default(BlockStatus);
        // Each look by a provider that has not asked before: on a busy machine commands are slow, and who asked a slow controller waits before asking again.
        await Eventually.TrueAsync(async () => (seen = await StatusAsync(Provider(), block)).State == state, $"block {block.Block.BlockId} is {state}", seen: () => $"{seen.State}: {seen.Reason}; {Report(block)}");
    }

    private async Task RunningAsync(SubmittedBlock block)
    {
        await StateAsync(block, BlockState.Running);
        await Eventually.TrueAsync(() => BlockScratch.Arguments(block.Block, "node-0").Length == 8, "its first manager runs", seen: () => Report(block));
    }

    private string Report(SubmittedBlock block) =>
        $"job {block.JobId}; {string.Join("; ", Directory.EnumerateFiles(block.Block.Directory, "*.log").Select(log => $"{Path.GetFileName(log)}: {File.ReadAllText(log)}"))}\n{fixture.Lab.LogsOf(block.JobId)}";
}
