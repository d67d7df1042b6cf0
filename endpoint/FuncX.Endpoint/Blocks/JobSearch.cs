using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>Jobs of this endpoint of which it is not known whose they are, and blocks of which it is not known whether they have one.</summary>
/// <param name="owner">Names this endpoint's jobs.</param>
internal sealed partial class JobSearch(BlockTable blocks, IBlockProvider provider, string owner, string stateDirectory, TimeProvider time, ILogger logger)
{
    // A submission that was sent and not answered may be served that much later.
    private static readonly TimeSpan s_arrives = TimeSpan.FromSeconds(30);

    private string _orphansUnknown = "";
    private long _orphansSoughtAt;

    /// <summary>Listing jobs may take as long as a command may: no more than a part of the time of a scheduler that does not answer.</summary>
    public static TimeSpan OrphansAgain { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether jobs that belong to no block have been looked for, with an answer.</summary>
    public bool OrphansEnded { get; private set; }

    public bool AreOrphansDue => !OrphansEnded && time.GetElapsedTime(_orphansSoughtAt) >= OrphansAgain;

    /// <summary>Looks for the job of a block whose submission was cut short or not answered. That there is none is believed once it has been so for a while.</summary>
    public async Task FindAsync(Block block, CancellationToken cancellation)
    {
        try
        {
            block.JobId = await provider.FindAsync(block.Request, cancellation);
            block.SearchedAt = time.GetTimestamp();
        }
        catch (BlockProviderException problem)
        {
            (block.SearchedAt, block.Reason) = (time.GetTimestamp(), problem.Message);
            if (block.UnclearSince == 0)
                Log.SubmissionUnclear(logger, block.Request.BlockId, problem.Message);
            block.UnclearSince = time.GetTimestamp();
        }
    }

    /// <summary>Looks for the jobs of all such blocks again, now and then.</summary>
    public async Task FindUnclearAsync(CancellationToken cancellation)
    {
        foreach (var block in blocks.All.Where(block => block.JobId is null && block.UnclearSince > 0 && time.GetElapsedTime(block.SearchedAt) >= provider.PollInterval))
        {
            await FindAsync(block, cancellation);
            if (block.JobId is not null)
            {
                (block.UnclearSince, block.Reason) = (0, "");
                blocks.OnSubmitted(block);
            }
            else if (time.GetElapsedTime(block.UnclearSince) > s_arrives)
                blocks.Finish(block, BlockState.Failed, $"the {provider.Name} provider took no job for block {block.Request.BlockId}: {block.Reason}");
        }
    }

    /// <summary>Whether there is a job of the block or not is to be looked into.</summary>
    public void OnUnclear(Block block, string reason)
    {
        (block.UnclearSince, block.Reason) = (time.GetTimestamp(), reason);
        Log.SubmissionUnclear(logger, block.Request.BlockId, reason);
    }

    /// <summary>Tells those to end that belong to no block. Tried again later when the provider could not be asked.</summary>
    public async Task EndOrphansAsync(CancellationToken cancellation)
    {
        OrphansEnded = await TryEndOrphansAsync(cancellation);
        _orphansSoughtAt = time.GetTimestamp();
    }

    private async Task<bool> TryEndOrphansAsync(CancellationToken cancellation)
    {
        try
        {
            foreach (var job in await provider.EndOrphansAsync(owner, blocks.Ids.ToHashSet(StringComparer.Ordinal), stateDirectory, cancellation))
                Log.OrphanEnded(logger, job);
            return true;
        }
        catch (BlockProviderException problem)
        {
            // Said once, not at every try.
            if (_orphansUnknown != problem.Message)
                Log.OrphansUnknown(logger, provider.Name, problem.Message);
            _orphansUnknown = problem.Message;
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} may have a job or not, which is looked into: {Reason}")]
        public static partial void SubmissionUnclear(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "job {Job} is this endpoint's and belongs to no block that it knows; it was told to end")]
        public static partial void OrphanEnded(ILogger logger, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the {Provider} provider could not be asked for jobs that belong to no block, which is tried again: {Reason}")]
        public static partial void OrphansUnknown(ILogger logger, string provider, string reason);
    }
}
