namespace FuncX.Endpoint.Core;

/// <summary>
/// How many blocks there should be: between the minimum and the maximum, by the tasks that wait or run times parallelism. A block that failed to start is
/// tried again with a back-off that doubles from one second to five minutes.
/// </summary>
internal sealed class BlockPlan(CoreSettings settings)
{
    private const long FirstBackOff = 1_000_000;
    private const long LongestBackOff = 300_000_000;

    private readonly Dictionary<string, Block> _blocks = new(StringComparer.Ordinal);
    private int _made;
    private int _failures;
    private long _notBefore;
    private bool _initialDone;

    public int Requested { get; private set; }

    public int Running { get; private set; }

    /// <summary>Why the last block did not start, empty when the last one did.</summary>
    public string LastFailure { get; private set; } = "";

    /// <summary>When a block may be asked for again, Unix microseconds.</summary>
    public long NotBefore => _notBefore;

    public bool Stopping { get; set; }

    public IEnumerable<Block> All => _blocks.Values;

    public Block Find(string id) => _blocks.TryGetValue(id, out var block) ? block : Add(id, BlockPhase.Running);

    public void OnRunning(string id)
    {
        var block = Find(id);
        if (block.Phase != BlockPhase.Requested)
            return;
        block.Phase = BlockPhase.Running;
        Requested--;
        Running++;
    }

    public void OnWaiting(string id)
    {
        if (!_blocks.ContainsKey(id))
            Add(id, BlockPhase.Requested);
    }

    public void OnManager(Block block)
    {
        OnRunning(block.Id);
        block.HadManager = true;
        block.IdleSince = 0;
        _failures = 0;
        LastFailure = "";
    }

    /// <summary>Takes the block off the list; null when it was not there.</summary>
    public Block? OnEnded(string id, string reason, long now)
    {
        if (!_blocks.Remove(id, out var block))
            return null;
        if (block.Phase == BlockPhase.Requested)
            Requested--;
        else if (block.Phase == BlockPhase.Running)
            Running--;
        if (block.Phase == BlockPhase.Ending)
            return block;
        if (block.HadManager)
        {
            _notBefore = Math.Max(_notBefore, now + FirstBackOff);
        }
        else
        {
            _failures = Math.Min(_failures + 1, 20);
            _notBefore = now + Math.Min(LongestBackOff, FirstBackOff << (_failures - 1));
            LastFailure = $"block {id} ended before a manager of it connected: {reason}";
        }

        return block;
    }

    /// <summary>Asks for the blocks that are missing.</summary>
    public void Grow(long demand, long now, IEndpointEffects effects)
    {
        if (Stopping || now < _notBefore)
            return;
        var wanted = Wanted(demand);
        if (!_initialDone)
            wanted = Math.Max(wanted, Math.Min(settings.BlocksInit, settings.BlocksMax));
        _initialDone = true;
        while (Requested + Running < wanted)
        {
            var block = Add($"{settings.BlockPrefix}{++_made}", BlockPhase.Requested);
            effects.RequestBlock(block.Id);
        }
    }

    /// <summary>
    /// Ends blocks that are not needed and have not been for too long, and says whether it did; <see cref="Block.InFlight"/> and <see cref="Block.IdleSince"/>
    /// of running ones are up to date. A running block is worth more than one that may start some time.
    /// </summary>
    public bool Shrink(long demand, long now, IEndpointEffects effects)
    {
        if (Stopping)
            return false;
        var wanted = Wanted(demand);
        var ended = false;
        foreach (var block in _blocks.Values)
        {
            if (block.Phase == BlockPhase.Requested)
                block.IdleSince = Requested + Running <= wanted ? 0 : block.IdleSince == 0 ? now : block.IdleSince;
            var spare = block.Phase switch
            {
                BlockPhase.Requested => Requested + Running > wanted,
                BlockPhase.Running => Running > wanted,
                _ => false,
            };
            if (!spare || block.IdleSince == 0 || now - block.IdleSince < settings.BlockIdle)
                continue;
            if (block.Phase == BlockPhase.Requested)
                Requested--;
            else
                Running--;
            block.Phase = BlockPhase.Ending;
            ended = true;
            effects.EndBlock(block.Id, $"idle for {(now - block.IdleSince) / 1_000_000} s");
        }

        return ended;
    }

    private int Wanted(long demand)
    {
        var workers = (long)settings.WorkersPerManager * settings.ManagersPerBlock;
        var blocks = Math.Ceiling(demand * settings.Parallelism / workers);
        return (int)Math.Clamp(blocks, settings.BlocksMin, settings.BlocksMax);
    }

    private Block Add(string id, BlockPhase phase)
    {
        var block = new Block(id) { Phase = phase };
        _blocks.Add(id, block);
        if (phase == BlockPhase.Requested)
            Requested++;
        else
            Running++;
        return block;
    }
}
