using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>Jobs of this endpoint of which it is not known whose they are, and blocks of which it is not known whether they have one.</summary>
/// <param name="owner">Names this endpoint's jobs.</param>
internal sealed partial class JobSearch(IBlockProvider provider, string owner, string stateDirectory, TimeProvider time, ILogger logger)
{
    private string _orphansUnknown = "";

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

    /// <summary>Whether there is a job of the block or not is to be looked into.</summary>
    public void OnUnclear(Block block, string reason)
    {
        (block.UnclearSince, block.Reason) = (time.GetTimestamp(), reason);
        Log.SubmissionUnclear(logger, block.Request.BlockId, reason);
    }

    /// <summary>Tells those to end that belong to none of these blocks.</summary>
    /// <returns>False: the provider could not be asked, which is to be tried again.</returns>
    public async Task<bool> EndOrphansAsync(IReadOnlySet<string> blocks, CancellationToken cancellation)
    {
        try
        {
            foreach (var job in await provider.EndOrphansAsync(owner, blocks, stateDirectory, cancellation))
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
