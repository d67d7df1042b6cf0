using System.Collections.Concurrent;
using FuncX.Providers;

namespace FuncX.Tests.Unit;

/// <summary>A provider whose scheduler does not answer when it is asked for a block, and answers other questions as it is told.</summary>
internal sealed class UnclearProvider : IBlockProvider
{
    private int _submissions;

    public string Name => "unclear";

    public TimeSpan PollInterval => TimeSpan.FromMilliseconds(10);

    public bool AppearsLate => true;

    public int Submissions => _submissions;

    /// <summary>What looking for a job finds; null: it cannot be said.</summary>
    public Func<string?>? Found { get; set; }

    /// <summary>Cannot be asked where jobs stand.</summary>
    public bool IsAway { get; set; }

    /// <summary>Cannot be asked which jobs there are.</summary>
    public bool HidesJobs { get; set; }

    public ConcurrentQueue<(string Owner, string[] Blocks)> OrphanQuestions { get; } = new();

    public ConcurrentQueue<string> Cancelled { get; } = new();

    public Task<string> SubmitAsync(BlockRequest block, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _submissions);
        throw new BlockSubmissionUnclearException("no answer within 100 s");
    }

    public Task<string?> FindAsync(BlockRequest block, CancellationToken cancellation) => Found is { } found ? Task.FromResult(found()) : throw new BlockProviderException("the scheduler is away");

    public Task<IReadOnlyList<BlockStatus>> QueryAsync(IReadOnlyList<SubmittedBlock> blocks, CancellationToken cancellation) => IsAway
        ? throw new BlockProviderException("the scheduler is away")
        : Task.FromResult<IReadOnlyList<BlockStatus>>([.. blocks.Select(block => new BlockStatus(Cancelled.Contains(block.JobId) ? BlockState.Cancelled : BlockState.Running, ""))]);

    public Task<string> RepairAsync(SubmittedBlock block, CancellationToken cancellation) => Task.FromResult(block.JobId);

    public Task<IReadOnlyList<string>> EndOrphansAsync(string owner, IReadOnlySet<string> blockIds, string directory, CancellationToken cancellation)
    {
        OrphanQuestions.Enqueue((owner, [.. blockIds]));
        if (HidesJobs)
            throw new BlockProviderException("the scheduler does not list jobs");
        return Task.FromResult<IReadOnlyList<string>>([]);
    }

    public Task CancelAsync(SubmittedBlock block, CancellationToken cancellation)
    {
        Cancelled.Enqueue(block.JobId);
        return Task.CompletedTask;
    }
}
