using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>Finds the blocks that an earlier process of this endpoint had requested and that are still there, by its files and the provider.</summary>
internal sealed partial class BlockRecovery(
    EndpointIdentity identity, IBlockProvider provider, BlockRequests requests, BlockDirectories directories, BlockWriter writer, JobSearch search, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan s_mayBeOnItsWay = TimeSpan.FromMinutes(5);

    /// <summary>Those that are there, or may be.</summary>
    public async Task<IReadOnlyList<Block>> FindAsync(CancellationToken cancellation)
    {
        var blocks = new List<Block>();
        var ended = new List<string>();
        foreach (var file in directories.Read((path, problem) => Log.BlockUnreadable(logger, path, problem.Message)))
        {
            if (file.State.IsEnd())
                ended.Add(file.Block);
            else if (!IsOfAnother(file))
                blocks.Add(await FindJobAsync(Read(file), cancellation));
        }

        await AskAsync([.. blocks.Where(static block => block.JobId is not null)], cancellation);
        writer.Prune([.. ended, .. blocks.Where(static block => block.State.IsEnd()).Select(static block => block.Request.BlockId)]);
        return [.. blocks.Where(static block => !block.State.IsEnd())];
    }

    private bool IsOfAnother(BlockFile file)
    {
        if (file.Identity != identity.Key)
        {
            // What its managers hold is for another service. They find no endpoint and end by themselves, unless one of that identity starts before.
            Log.BlockOfOther(logger, file.Block, file.Identity ?? "unknown", file.JobId ?? "not submitted");
            return true;
        }

        if (file.Provider != provider.Name)
        {
            // Its job may run, and only its own provider can ask about it or end it.
            Log.BlockOfOtherProvider(logger, file.Block, file.JobId ?? "not submitted", file.Provider, provider.Name);
            return true;
        }

        if (!provider.IsElsewhere(file.Host, file.JobId))
            return false;
        // Its managers may be at work: a process there, should it take its place back, finds them with what they hold.
        Log.BlockElsewhere(logger, file.Block, file.Host);
        return true;
    }

    private Block Read(BlockFile file) => new(requests.Of(file.Block, file.Nodes), file.Secret, file.Requested, new BlockRepairs(time), Math.Clamp(file.Missing, 0, file.Nodes))
    {
        State = file.State,
        Reason = file.Reason,
        JobId = file.JobId,
        RunningReported = file.State == BlockState.Running,
    };

    private async Task<Block> FindJobAsync(Block block, CancellationToken cancellation)
    {
        if (block.JobId is null)
            await search.FindAsync(block, cancellation);
        if (block.JobId is not null || block.UnclearSince > 0)
            return block;
        // The scheduler is away, or its command is still on its way: it is looked for again.
        if (provider.AppearsLate && time.GetUtcNow() - block.RequestedAt < s_mayBeOnItsWay)
            (block.UnclearSince, block.Reason) = (time.GetTimestamp(), "the endpoint was killed while it submitted the block");
        else
            writer.WriteEnd(block, BlockState.Lost, "the endpoint was killed before it had submitted the block");
        return block;
    }

    private async Task AskAsync(List<Block> blocks, CancellationToken cancellation)
    {
        var statuses = await QueryAsync(blocks, cancellation);
        for (var i = 0; i < blocks.Count; i++)
        {
            var (block, status) = (blocks[i], statuses[i]);
            if (status.State.IsEnd())
            {
                writer.WriteEnd(block, status.State, status.Reason);
                Log.BlockGone(logger, block.Request.BlockId, status.State, status.Reason);
                continue;
            }

            if (status.State != BlockState.Unknown)
                block.State = status.State;
            block.Reason = status.Reason;
            block.RunningReported = block.State == BlockState.Running;
            writer.Write(block);
            Log.BlockFound(logger, block.Request.BlockId, block.State, block.JobId!);
        }
    }

    // A provider that cannot be asked at a start is no reason not to start: its blocks are as they were until it answers.
    private async Task<IReadOnlyList<BlockStatus>> QueryAsync(List<Block> blocks, CancellationToken cancellation)
    {
        if (blocks.Count == 0)
            return [];
        try
        {
            return await provider.QueryAsync([.. blocks.Select(static block => new SubmittedBlock(block.Request, block.JobId!))], cancellation);
        }
        catch (BlockProviderException problem)
        {
            Log.QueryFailed(logger, provider.Name, problem.Message);
            return [.. blocks.Select(_ => new BlockStatus(BlockState.Unknown, problem.Message))];
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} of an earlier process is {State}, job {Job}")]
        public static partial void BlockFound(ILogger logger, string block, BlockState state, string job);

        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} of an earlier process is over ({State}): {Reason}")]
        public static partial void BlockGone(ILogger logger, string block, BlockState state, string reason);

        [LoggerMessage(Level = LogLevel.Warning,
            Message = "block {Block} runs tasks of another service or endpoint ({Identity}) and is left alone; its managers give up after a while without an endpoint, or end job {Job} by hand")]
        public static partial void BlockOfOther(ILogger logger, string block, string identity, string job);

        [LoggerMessage(Level = LogLevel.Warning,
            Message = "block {Block} (job {Job}) is of the {Provider} provider, and provider.type is {Type} now: it is left alone; end the job by hand, or start once more with the old type, whose endpoint finds it")]
        public static partial void BlockOfOtherProvider(ILogger logger, string block, string job, string provider, string type);

        [LoggerMessage(Level = LogLevel.Warning,
            Message = "block {Block} runs on {Host}, which cannot be reached from here, and is left alone; its managers give up after a while without an endpoint")]
        public static partial void BlockElsewhere(ILogger logger, string block, string host);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} cannot be read and is left alone: {Reason}")]
        public static partial void BlockUnreadable(ILogger logger, string path, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the {Provider} provider could not be asked about its blocks: {Reason}")]
        public static partial void QueryFailed(ILogger logger, string provider, string reason);
    }
}
