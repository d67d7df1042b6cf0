using System.Collections.Concurrent;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>Which blocks are to end, and the orders to do so: given again for as long as a block is there. From any thread.</summary>
internal sealed partial class BlockEndings(IBlockProvider provider, TimeProvider time, ILogger logger)
{
    // A provider that has taken an order to end a block needs a moment; an order that changed nothing is given again.
    private static readonly TimeSpan s_endsSoon = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_endAgain = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, byte> _wished = new(StringComparer.Ordinal);
    private volatile bool _all;

    /// <summary>Whether all are to end, and none is begun any more.</summary>
    public bool All => _all;

    /// <summary>Blocks that somebody wants to end and that may not have been told so yet.</summary>
    public ICollection<string> Wished => _wished.Keys;

    /// <summary>Remembers that a block is to end.</summary>
    public void Wish(string blockId) => _wished[blockId] = 0;

    /// <summary>Remembers that every block is to end.</summary>
    public void WishAll() => _all = true;

    /// <summary>
    /// Ends those that are to end: also those whose end was wished before there was a job to cancel or while a node of it was being started again, and those whose order was refused or changed
    /// nothing.
    /// </summary>
    /// <param name="wished">Read before the blocks were.</param>
    /// <param name="blocks">Every block that is there.</param>
    public void Follow(ICollection<string> wished, BlockTable blocks)
    {
        foreach (var blockId in wished)
        {
            if (blocks.TryFind(blockId, out var known))
                known.EndRequested = true;
            _wished.TryRemove(blockId, out _);
        }

        foreach (var block in blocks.All.Where(block => block.EndRequested || All))
            Begin(block);
    }

    /// <summary>Gives the order, unless it was given a moment ago or there is no job yet.</summary>
    public void Begin(Block block)
    {
        lock (block)
        {
            block.EndRequested = true;
            if (block.JobId is not { } job)
                return;
            if (block.EndingJob == job && (block.Ending is { IsCompleted: false } || time.GetElapsedTime(block.EndingSince) < s_endAgain))
                return;
            block.EndingJob = job;
            block.EndingSince = time.GetTimestamp();
            block.Ending = EndAsync(new SubmittedBlock(block.Request, job));
        }
    }

    /// <summary>Whether the order was given and should come true any moment.</summary>
    public bool EndsSoon(Block block) => block.EndingSince > 0 && time.GetElapsedTime(block.EndingSince) < s_endsSoon;

    private async Task EndAsync(SubmittedBlock block)
    {
        try
        {
            await provider.CancelAsync(block, CancellationToken.None);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException)
        {
            Log.CancelFailed(logger, block.Block.BlockId, s_endAgain.TotalSeconds, problem.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} could not be ended, which is tried again after {Seconds} s: {Reason}")]
        public static partial void CancelFailed(ILogger logger, string block, double seconds, string reason);
    }
}
