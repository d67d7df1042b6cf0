using FuncX.Endpoint.Blocks;

namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// Managers of blocks that an earlier process of this endpoint started: the service is told what the endpoint holds only when they have said what they hold, or
/// tasks that run there would be sent out a second time.
/// </summary>
internal sealed class Survivors
{
    /// <summary>So long what the missing ones may hold is waited for.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, int> _missing = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _back = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Back => _back.Task;

    public void Expect(IEnumerable<KnownBlock> blocks, int managersPerNode)
    {
        foreach (var block in blocks)
        {
            if (block.ManagersLeft(managersPerNode) is > 0 and var left)
                _missing[block.BlockId] = left;
        }

        Check();
    }

    public void OnManager(string block)
    {
        if (_missing.TryGetValue(block, out var missing))
            _missing[block] = missing - 1;
        if (missing == 1)
            _missing.Remove(block);
        Check();
    }

    public void OnEnded(string block)
    {
        _missing.Remove(block);
        Check();
    }

    /// <summary>The blocks some of whose managers are not back.</summary>
    public IReadOnlyList<string> Late() => [.. _missing.Keys];

    private void Check()
    {
        if (_missing.Count == 0)
            _back.TrySetResult();
    }
}
