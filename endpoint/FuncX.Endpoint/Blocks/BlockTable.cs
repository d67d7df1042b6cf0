using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using FuncX.Configuration;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>The blocks that have not ended. They come and go on the supervisor's loop, and are looked at from any thread.</summary>
internal sealed partial class BlockTable(IBlockProvider provider, IBlockObserver observer, BlockWriter writer, ILogger logger)
{
    private readonly ConcurrentDictionary<string, Block> _blocks = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsEmpty => _blocks.IsEmpty;

    /// <summary>Those of this moment.</summary>
    public ICollection<Block> All => _blocks.Values;

    public ICollection<string> Ids => _blocks.Keys;

    /// <summary>Completed when no block can be had any more: the provider's only one has ended by itself.</summary>
    public Task Over => _over.Task;

    public bool TryFind(string blockId, [NotNullWhen(true)] out Block? block) => _blocks.TryGetValue(blockId, out block);

    public void Add(Block block) => _blocks[block.Request.BlockId] = block;

    /// <summary>The provider has taken it: its job is known from now on.</summary>
    public void OnSubmitted(Block block)
    {
        writer.Write(block);
        Log.BlockSubmitted(logger, block.Request.BlockId, provider.Name, block.JobId!);
    }

    /// <summary>It has ended, or could not be had: written down, taken out, and reported.</summary>
    public void Finish(Block block, BlockState state, string reason)
    {
        var blockId = block.Request.BlockId;
        _blocks.TryRemove(blockId, out _);
        writer.WriteEnd(block, state, reason);
        writer.Prune(blockId);
        Log.BlockEnded(logger, blockId, state, reason);
        if (provider.IsOnce && state == BlockState.Completed)
            _over.TrySetResult();
        observer.OnBlockEnded(blockId, new BlockEnding(reason.Length > 0 ? $"{SnakeCase.Of(state)}: {reason}" : SnakeCase.Of(state), state == BlockState.TimedOut));
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} requested from the {Provider} provider as job {Job}")]
        public static partial void BlockSubmitted(ILogger logger, string block, string provider, string job);

        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} ended ({State}): {Reason}")]
        public static partial void BlockEnded(ILogger logger, string block, BlockState state, string reason);
    }
}
