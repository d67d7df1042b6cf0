using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>
/// Asks the provider how the blocks fare, reports what has changed, and has lost nodes started again. On the supervisor's loop, but for <see cref="Known"/>.
/// </summary>
internal sealed partial class BlockPoll(
    BlockTable blocks, IBlockProvider provider, IBlockObserver observer, BlockWriter writer, JobSearch search, BlockEndings endings, TimeProvider time, ILogger logger)
{
    // What a scheduler says of the time left is a moment old when it is read.
    private static readonly TimeSpan s_sameEnd = TimeSpan.FromSeconds(15);

    private volatile UnansweredPoll? _unanswered;

    /// <summary>When to ask again.</summary>
    public TimeSpan Interval => UntilAskedAgain() is var left && left > TimeSpan.Zero ? left : provider.PollInterval;

    /// <summary>The block as it is known, with a provider that does not answer. From any thread.</summary>
    public KnownBlock Known(Block block) => block.Known(Silence(block));

    public async Task RunAsync(CancellationToken stopping)
    {
        await search.FindUnclearAsync(stopping);
        if (_unanswered is null && search.AreOrphansDue)
            await search.EndOrphansAsync(stopping);
        await QueryAsync(stopping);
        TellPending();
    }

    private async Task QueryAsync(CancellationToken stopping)
    {
        var submitted = blocks.All.Where(static block => block.JobId is not null).ToArray();
        if (submitted.Length == 0)
        {
            _unanswered = null;
            return;
        }

        // Asked sooner, a provider may say again what it knew: that is no answer.
        if (UntilAskedAgain() > TimeSpan.Zero)
            return;
        IReadOnlyList<BlockStatus> statuses;
        try
        {
            statuses = await provider.QueryAsync([.. submitted.Select(static block => new SubmittedBlock(block.Request, block.JobId!))], stopping);
            _unanswered = null;
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException)
        {
            // Blocks stay as they are: not to be told is not an end. Said once, not at every question.
            if (_unanswered?.Message != problem.Message)
                Log.QueryFailed(logger, provider.Name, problem.Message);
            _unanswered = new UnansweredPoll(_unanswered?.Since ?? time.GetUtcNow(), problem.Message, time.GetTimestamp());
            return;
        }

        for (var i = 0; i < submitted.Length; i++)
        {
            Apply(submitted[i], statuses[i]);
            if (statuses[i].NodesLost > 0)
                await RepairAsync(submitted[i], stopping);
        }
    }

    private TimeSpan UntilAskedAgain() => _unanswered is { } last ? provider.PollInterval - time.GetElapsedTime(last.At) : TimeSpan.Zero;

    // The state of a block that was submitted is as old as the last answer.
    private string Silence(Block block) => block.JobId is not null && _unanswered is { } unanswered ? unanswered.Describe(provider.Name) : "";

    private void TellPending()
    {
        foreach (var block in blocks.All)
        {
            var known = Known(block);
            var reason = known.State == BlockState.Pending ? known.Reason : "";
            if (reason == block.PendingTold)
                continue;
            block.PendingTold = reason;
            observer.OnBlockPending(block.Request.BlockId, reason);
        }
    }

    private async Task RepairAsync(Block block, CancellationToken stopping)
    {
        if (endings.All || block.EndRequested || !block.Repairs.TryBegin())
            return;
        try
        {
            block.JobId = await provider.RepairAsync(new SubmittedBlock(block.Request, block.JobId!), stopping);
            writer.Write(block);
            Log.BlockRepaired(logger, block.Request.BlockId, block.JobId);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException or UnauthorizedAccessException)
        {
            Log.RepairFailed(logger, block.Request.BlockId, problem.Message);
        }

        if (block.Repairs.GivenUp)
            Log.RepairsGivenUp(logger, block.Request.BlockId, BlockRepairs.Most);
    }

    private void Apply(Block block, BlockStatus status)
    {
        if (status.State.IsEnd())
        {
            if (block.EndRequested)
                blocks.Finish(block, BlockState.Cancelled, "ended by the endpoint");
            else
                blocks.Finish(block, status.State, status.Reason);
            return;
        }

        if (status.State == BlockState.Unknown)
        {
            // Its state stands, and that nothing newer is known is worth knowing.
            if (status.Reason.Length > 0)
                block.Reason = status.Reason;
            return;
        }

        if (status.EndsAt is { } endsAt && (block.EndsAt is not { } told || (endsAt - told).Duration() > s_sameEnd))
        {
            block.EndsAt = endsAt;
            observer.OnBlockEnds(block.Request.BlockId, endsAt);
        }

        if (status.Suspended != block.Suspended)
        {
            block.Suspended = status.Suspended;
            observer.OnBlockSuspended(block.Request.BlockId, status.Suspended);
        }

        if (status.State == block.State && status.Reason == block.Reason && block.RunningReported)
            return;
        (block.State, block.Reason) = (status.State, status.Reason);
        if (block.Reason.Length > 0)
            Log.BlockNote(logger, block.Request.BlockId, block.Reason);
        writer.Write(block);
        if (block.State != BlockState.Running || block.RunningReported)
            return;
        block.RunningReported = true;
        observer.OnBlockRunning(block.Request.BlockId);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block}: {Reason}")]
        public static partial void BlockNote(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the lost managers of block {Block} were started again; it is job {Job} now")]
        public static partial void BlockRepaired(ILogger logger, string block, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the lost managers of block {Block} could not be started again: {Reason}")]
        public static partial void RepairFailed(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "block {Block} lost managers {Times} times with less than ten minutes in between; it goes on without those it loses from now on")]
        public static partial void RepairsGivenUp(ILogger logger, string block, int times);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the {Provider} provider could not be asked about its blocks: {Reason}")]
        public static partial void QueryFailed(ILogger logger, string provider, string reason);
    }
}
