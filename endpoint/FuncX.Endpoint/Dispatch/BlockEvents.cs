using FuncX.Endpoint.Blocks;

namespace FuncX.Endpoint.Dispatch;

/// <summary>What becomes of blocks, as events of the loop.</summary>
public sealed class BlockEvents(EndpointLoop loop) : IBlockObserver
{
    public void OnBlockRunning(string blockId) => Post(dispatcher => dispatcher.Core.OnBlockRunning(blockId));

    public void OnBlockEnded(string blockId, BlockEnding ending) => Post(dispatcher => dispatcher.OnBlockEnded(blockId, ending));

    public void OnBlockEnds(string blockId, DateTimeOffset endsAt) => Post(dispatcher => dispatcher.OnBlockEnds(blockId, endsAt));

    public void OnBlockSuspended(string blockId, bool suspended) => Post(dispatcher => dispatcher.Core.OnBlockSuspended(blockId, suspended));

    public void OnBlockPending(string blockId, string reason) => Post(dispatcher => dispatcher.Core.OnBlockPending(blockId, reason));

    private void Post(Action<Dispatcher> action) => loop.Post(new ActionEvent(action));
}
