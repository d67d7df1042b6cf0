using FuncX.Cluster;
using FuncX.Providers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>What a job's script and managers wrote last is in the reason of a block that failed, wherever the scheduler puts it.</summary>
public sealed class EndedJobLogsTests : IAsyncDisposable
{
    private readonly BlockScratch _scratch = new();
    private PlayedScheduler? _played;

    [Theory]
    [InlineData("pbs", "batch.log")]
    [InlineData("cobalt", ".output")]
    public async Task What_the_lines_of_init_wrote_is_said(string kind, string log)
    {
        var reason = await FailAsync(kind, _scratch.Block("exit 0") with { Init = "echo no module; exit 3" });
        reason.ShouldContain("exit status 3");
        reason.ShouldContain($"{log} ends with: no module");
    }

    [Theory]
    [InlineData("pbs")]
    [InlineData("cobalt")]
    public async Task The_newest_logs_of_managers_are_said_whatever_their_numbers(string kind)
    {
        var block = _scratch.Block("echo the disk is gone; exit 3", nodes: 3);
        // Of a run before a requeue, on other nodes.
        var older = Path.Combine(block.Directory, "node-0001.log");
        await File.WriteAllTextAsync(older, "of an earlier run\n", TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(older, DateTime.UtcNow.AddHours(-1));
        var reason = await FailAsync(kind, block);
        reason.Split("; node-").Length.ShouldBe(3, reason);
        reason.Split("ends with: the disk is gone").Length.ShouldBe(3, reason);
        reason.ShouldNotContain("of an earlier run");
    }

    public async ValueTask DisposeAsync()
    {
        if (_played is { } played)
        {
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(played.Root).Count == 0, "nothing of the scheduler runs");
            played.Dispose();
        }

        _scratch.Dispose();
    }

    private async Task<string> FailAsync(string kind, BlockRequest block)
    {
        var played = _played = new PlayedScheduler(kind);
        block = block with { Init = kind == "cobalt" ? $"{played.Init}\n{block.Init}" : block.Init };
        var submitted = new SubmittedBlock(block, await played.Provider().SubmitAsync(block, TestContext.Current.CancellationToken));
        var seen = default(BlockStatus);
        // Each look by a provider that has not asked before: who asked a slow server waits before asking again.
        await Eventually.TrueAsync(
            async () => (seen = (await played.Provider().QueryAsync([submitted], TestContext.Current.CancellationToken)).Single()).State == BlockState.Failed, "the block has failed",
            seen: () => $"{seen.State}: {seen.Reason}");
        return seen.Reason;
    }
}
