using FuncX.Providers;

namespace FuncX.Tests.Unit;

/// <summary>A provider whose scheduler has answered slowly: what it is asked it says again as it knew it, until somebody is in a hurry. Its jobs have ended long ago, and orders to end them do not reach it.</summary>
internal sealed class SlowProvider : IBlockProvider
{
    private volatile bool _hurried;

    public string Name => "slow";

    public TimeSpan PollInterval => TimeSpan.FromMilliseconds(10);

    public void Hurry() => _hurried = true;

    public Task<string> SubmitAsync(BlockRequest block, CancellationToken cancellation) => Task.FromResult("1");

    public Task<string?> FindAsync(BlockRequest block, CancellationToken cancellation) => Task.FromResult<string?>("1");

    public Task<IReadOnlyList<BlockStatus>> QueryAsync(IReadOnlyList<SubmittedBlock> blocks, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<BlockStatus>>([.. blocks.Select(_ => new BlockStatus(_hurried ? BlockState.Cancelled : BlockState.Running, ""))]);

    public Task<string> RepairAsync(SubmittedBlock block, CancellationToken cancellation) => Task.FromResult(block.JobId);

    public Task<IReadOnlyList<string>> EndOrphansAsync(string owner, IReadOnlySet<string> blockIds, string directory, CancellationToken cancellation) => Task.FromResult<IReadOnlyList<string>>([]);

    public Task CancelAsync(SubmittedBlock block, CancellationToken cancellation) => throw new BlockProviderException("socket timed out");
}
