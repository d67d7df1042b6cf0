namespace FuncX.Endpoint.Core;

/// <summary>
/// How many blocks there should be: between the minimum and the maximum, by the tasks that wait or run times parallelism. A block that failed to start, or that died young,
/// is tried again with a back-off that doubles from one second to five minutes, so that what is broken is asked for a few times and not for ever.
/// </summary>
internal sealed class BlockPlan(CoreSettings settings)
{
    private const long FirstBackOff = 1_000_000;
    private const long LongestBackOff = 300_000_000;

    /// <summary>A block that ends sooner, without a result, has died young.</summary>
    private const long Young = 30_000_000;

    private readonly Dictionary<string, Block> _blocks = new(StringComparer.Ordinal);
    private int _made;
    private int _failures;
    private bool _diedYoung;
    private long _notBefore;
    private bool _initialDone;
    private string _lastFailure = "";

    public int Requested { get; private set; }

    /// <summary>Blocks that run and take tasks.</summary>
    public int Running { get; private set; }

    /// <summary>Blocks that run and only finish what they have.</summary>
    public int Draining { get; private set; }

    /// <summary>Why the last block did not start or live, how often in a row, and when the next is tried; empty when the last one did.</summary>
    public string LastFailure => _lastFailure.Length == 0 ? "" : $"{_lastFailure}{(_failures > 1 ? $"; {_failures} blocks in a row came to nothing" : "")}; the next is asked for from {Clock(_notBefore)} on";

    /// <summary>Why a block that was asked for waits, in its scheduler's words; empty when none has any.</summary>
    public string PendingReason => _blocks.Values.FirstOrDefault(static block => block.PendingReason.Length > 0) is { } waiting ? $"block {waiting.Id} waits: {waiting.PendingReason}" : "";

    /// <summary>When a block may be asked for again, Unix microseconds.</summary>
    public long NotBefore => _notBefore;

    public bool Stopping { get; set; }

    /// <summary>So many blocks are wanted whatever the demand; null: as many as the demand asks for.</summary>
    public int? Fixed { get; private set; }

    public IEnumerable<Block> All => _blocks.Values;

    public bool Has(string id) => _blocks.ContainsKey(id);

    public Block Find(string id) => _blocks.TryGetValue(id, out var block) ? block : Add(id, BlockPhase.Running);

    /// <summary>From now on so many blocks, or as many as the demand asks for. Whoever says so wants to see it tried now.</summary>
    /// <returns>Whether blocks that were one too many are wanted again.</returns>
    public bool Fix(int? count)
    {
        Fixed = count;
        _notBefore = 0;
        var back = _blocks.Values.Where(static block => block is { Phase: BlockPhase.Draining, Retiring: true }).Take(count is { } wanted ? Math.Max(0, wanted - Running) : int.MaxValue).ToList();
        foreach (var block in back)
        {
            block.Retiring = false;
            Move(block, BlockPhase.Running);
        }

        return back.Count > 0;
    }

    public void OnRunning(string id)
    {
        var block = Find(id);
        if (block.Phase == BlockPhase.Requested)
            Move(block, BlockPhase.Running);
    }

    /// <summary>An earlier process has left the block running, with so many managers, which come back until then.</summary>
    public void OnSurvived(string id, int managers, long until)
    {
        var block = Find(id);
        (block.Awaited, block.AwaitedUntil) = (managers, until);
    }

    /// <summary>The scheduler says when the block's job ends; null when there is no such block.</summary>
    public Block? OnEnds(string id, long endsAt)
    {
        if (_blocks.TryGetValue(id, out var block))
            block.EndsAt = endsAt;
        return block;
    }

    public void OnSuspended(string id, bool suspended)
    {
        if (_blocks.TryGetValue(id, out var block))
            block.Suspended = suspended;
    }

    public void OnPending(string id, string reason)
    {
        if (_blocks.TryGetValue(id, out var block))
            block.PendingReason = reason;
    }

    public void OnWaiting(string id)
    {
        if (!Has(id))
            Add(id, BlockPhase.Requested);
    }

    public void OnManager(Block block, long now)
    {
        OnRunning(block.Id);
        if (!block.HadManager)
            block.ManagerSince = now;
        block.HadManager = true;
        block.IdleSince = 0;
        if (!_diedYoung)
            Succeed();
    }

    /// <summary>The block has brought a result.</summary>
    public void OnServed(Block block)
    {
        block.Served = true;
        if (_failures > 0)
            Succeed();
    }

    /// <summary>A manager of the block takes no more tasks.</summary>
    public void OnLeaving(Block block)
    {
        if (block.Phase == BlockPhase.Running)
            Move(block, BlockPhase.Draining);
    }

    /// <summary>A manager of the block takes tasks.</summary>
    public void OnReady(Block block)
    {
        if (block is { Phase: BlockPhase.Draining, Retiring: false })
            Move(block, BlockPhase.Running);
    }

    /// <summary>Takes the block off the list; null when it was not there.</summary>
    public Block? OnEnded(string id, string reason, long now)
    {
        if (!_blocks.Remove(id, out var block))
            return null;
        var expected = block.Phase == BlockPhase.Ending || block.Retiring;
        Move(block, BlockPhase.Ending);
        if (expected)
            return block;
        if (block.HadManager && (block.Served || now - block.ManagerSince >= Young))
        {
            _notBefore = Math.Max(_notBefore, now + FirstBackOff);
            return block;
        }

        _diedYoung = block.HadManager;
        _failures = Math.Min(_failures + 1, 20);
        _notBefore = now + Math.Min(LongestBackOff, FirstBackOff << (_failures - 1));
        _lastFailure = block.HadManager
            ? $"block {id} ended {(now - block.ManagerSince) / 1_000_000.0:0.0} s after its first manager connected, without a result: {reason}"
            : $"block {id} ended before a manager of it connected: {reason}";
        return block;
    }

    /// <summary>Asks for the blocks that are missing.</summary>
    /// <param name="demand">Tasks that wait or run.</param>
    /// <param name="lasting">Of those, the ones that no running block lasts for.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Is asked.</param>
    public void Grow(long demand, long lasting, long now, IEndpointEffects effects)
    {
        if (Stopping || now < _notBefore)
            return;
        var wanted = Wanted(demand);
        if (!_initialDone && Fixed is null)
            wanted = Math.Max(wanted, Math.Min(settings.BlocksInit, settings.BlocksMax));
        _initialDone = true;
        // Those that run cannot take them.
        if (lasting > 0 && Fixed is null)
            wanted = Math.Max(wanted, Running + BlocksFor(lasting));
        while (Requested + Running < wanted && Requested + Running + Draining < settings.BlocksMax)
        {
            var block = Add($"{settings.BlockPrefix}{++_made}", BlockPhase.Requested);
            effects.RequestBlock(block.Id);
        }
    }

    /// <summary>
    /// Ends blocks that are not needed and have not been for too long, and says whether managers have to be told; <see cref="Block.InFlight"/> and
    /// <see cref="Block.IdleSince"/> of running ones are up to date. A running block is worth more than one that may start some time.
    /// </summary>
    /// <param name="demand">Tasks that wait or run.</param>
    /// <param name="lasting">Of those, the ones that no running block lasts for.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Is told.</param>
    public bool Shrink(long demand, long lasting, long now, IEndpointEffects effects)
    {
        if (Stopping)
            return false;
        var wanted = Wanted(demand);
        // A block that what waits is too long for holds the place of one that it would run on.
        if (lasting > 0 && lasting == demand && Requested + Running + Draining >= settings.BlocksMax && Fixed is null)
            wanted = 0;
        if (Fixed is not null)
            Retire(wanted, now);
        var changed = false;
        foreach (var block in _blocks.Values)
        {
            if (block.Phase == BlockPhase.Running && now - block.ManagerSince >= Young && block is { HadManager: true, Served: false })
                OnServed(block);
            if (block.Phase == BlockPhase.Requested)
                block.IdleSince = Requested + Running <= wanted ? 0 : block.IdleSince == 0 ? now : block.IdleSince;
            if (!IsSpare(block, wanted, now))
                continue;
            Move(block, BlockPhase.Ending);
            changed = true;
            effects.EndBlock(block.Id, block.Retiring ? "one block too many" : $"idle for {(now - block.IdleSince) / 1_000_000} s");
        }

        return changed || Fixed is not null;
    }

    private bool IsSpare(Block block, int wanted, long now) => block.Phase switch
    {
        BlockPhase.Requested => Requested + Running > wanted && (Fixed is not null || IsIdle(block, now)),
        BlockPhase.Running => Running > wanted && IsIdle(block, now),
        BlockPhase.Draining => block is { Retiring: true, InFlight: 0 },
        _ => false,
    };

    private bool IsIdle(Block block, long now) => block.IdleSince != 0 && now - block.IdleSince >= settings.BlockIdle;

    // Those with the least to do first. Of one whose managers have not come back nobody knows how much that is: until it is known only blocks go that have nothing to do.
    private void Retire(int wanted, long now)
    {
        var areKnown = _blocks.Values.All(block => block.Phase != BlockPhase.Running || block.IsKnown(now));
        var candidates = _blocks.Values.Where(block => block.Phase == BlockPhase.Running && (areKnown || (block.InFlight == 0 && block.IsKnown(now))));
        foreach (var block in candidates.OrderBy(static block => block.InFlight).Take(Math.Max(0, Running - wanted)).ToList())
        {
            block.Retiring = true;
            Move(block, BlockPhase.Draining);
        }
    }

    private int Wanted(long demand) => Fixed ?? Math.Clamp(BlocksFor(demand), settings.BlocksMin, settings.BlocksMax);

    private int BlocksFor(long tasks) =>
        (int)Math.Min(settings.BlocksMax, Math.Ceiling(tasks * settings.Parallelism / ((long)settings.WorkersPerManager * settings.ManagersPerBlock)));

    private void Succeed()
    {
        (_failures, _diedYoung, _lastFailure) = (0, false, "");
    }

    private static string Clock(long microseconds) => DateTimeOffset.FromUnixTimeMilliseconds(microseconds / 1000).UtcDateTime.ToString("HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    private Block Add(string id, BlockPhase phase)
    {
        var block = new Block(id) { Phase = phase };
        _blocks.Add(id, block);
        Count(phase, 1);
        return block;
    }

    private void Move(Block block, BlockPhase phase)
    {
        Count(block.Phase, -1);
        block.Phase = phase;
        Count(phase, 1);
    }

    private void Count(BlockPhase phase, int change)
    {
        switch (phase)
        {
            case BlockPhase.Requested:
                Requested += change;
                break;
            case BlockPhase.Running:
                Running += change;
                break;
            case BlockPhase.Draining:
                Draining += change;
                break;
        }
    }
}
