using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>
/// Turns the wish for a block into a job of the provider and tells how it fares. All methods but the asynchronous ones return at once and may be
/// called from any thread; reports come from the supervisor's own loop. It waits without a timer while there is no block, and jobs that belong to none have been looked for.
/// </summary>
public sealed partial class BlockSupervisor : BackgroundService
{
    private const int MaxOrders = 16_384;

    // A submission that was sent and not answered may be served that much later.
    private static readonly TimeSpan s_arrives = TimeSpan.FromSeconds(30);

    // What a scheduler says of the time left is a moment old when it is read.
    private static readonly TimeSpan s_sameEnd = TimeSpan.FromSeconds(15);

    // Listing jobs may take as long as a command may: no more than a part of the time of a scheduler that does not answer.
    private static readonly TimeSpan s_orphansAgain = TimeSpan.FromSeconds(30);

    // A manager whose connection broke is back within a few seconds, or not at all.
    private static readonly TimeSpan s_comesBack = TimeSpan.FromSeconds(5);

    private readonly EndpointConfiguration _configuration;
    private readonly IBlockProvider _provider;
    private readonly IBlockObserver _observer;
    private readonly TimeProvider _time;
    private readonly TimeProvider _timers;
    private readonly ILogger _logger;
    private readonly BlockDirectories _directories;
    private readonly BlockRequests _requests;
    private readonly BlockWriter _writer;
    private readonly JobSearch _search;
    private readonly BlockEndings _endings;
    private readonly BlockRecovery _recovery;
    private readonly ConcurrentDictionary<string, Block> _blocks = new(StringComparer.Ordinal);
    private readonly Channel<BlockOrder> _orders = Channel.CreateBounded<BlockOrder>(new BoundedChannelOptions(MaxOrders) { SingleReader = true });
    private readonly TaskCompletionSource<IReadOnlyList<string>> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IReadOnlyList<KnownBlock> _surviving = [];
    private bool _orphansEnded;
    private long _orphansSoughtAt;
    private int _asks;
    private volatile UnansweredPoll? _unanswered;
    private volatile bool _endingAll;

    public BlockSupervisor(EndpointConfiguration configuration, EndpointIdentity identity, IBlockProvider provider, IBlockObserver observer, EndpointCertificate certificate, ManagerProgram manager,
        TimeProvider time, ILogger<BlockSupervisor> logger)
    {
        // Named by the endpoint's identity, so that endpoints of one name, each with a state directory of its own, do not take each other's jobs.
        var owner = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity.Key)))[..10];
        _configuration = configuration;
        _provider = provider;
        _observer = observer;
        _time = time;
        _timers = TimerThread.For(time, "block polls");
        _logger = logger;
        _directories = new BlockDirectories(configuration);
        _requests = new BlockRequests(configuration, owner, manager.Path);
        _writer = new BlockWriter(_directories, identity, provider.Name, certificate, logger);
        _search = new JobSearch(provider, owner, configuration.StateDirectory, time, logger);
        _endings = new BlockEndings(provider, time, logger);
        _recovery = new BlockRecovery(identity, provider, _requests, _directories, _writer, _search, time, logger);
    }

    /// <summary>Completed when no block can be had any more: the provider's only one has ended by itself.</summary>
    public Task Over => _over.Task;

    /// <summary>Asks for a block. The id is the caller's choice, never used before in this state directory: see <see cref="NewBlockId"/>.</summary>
    /// <exception cref="ArgumentException">The id is not 1 to 32 of a-z 0-9 -.</exception>
    public void Request(string blockId)
    {
        if (blockId.Length is 0 or > 32 || !blockId.All(letter => char.IsAsciiDigit(letter) || char.IsAsciiLetterLower(letter) || letter == '-'))
            throw new ArgumentException($"'{blockId}' cannot name a block; expected 1 to 32 of a-z 0-9 -", nameof(blockId));
        if (!_orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.Request, blockId)))
            _observer.OnBlockEnded(blockId, new BlockEnding($"{MaxOrders} orders for blocks are waiting already, or the endpoint is stopping"));
    }

    /// <summary>Ends a block; an unknown or ended one is ignored. The end is reported as any other.</summary>
    public void End(string blockId)
    {
        // The wish stands also when the order finds no room: the loop has others to follow then, and looks at the wishes behind them.
        _endings.Wish(blockId);
        _ = _orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.End, blockId));
    }

    /// <summary>A manager of the block has connected that this process did not know.</summary>
    public void OnManagerJoined(string blockId) => OnManagers(blockId, static block => block.OnManagerJoined());

    /// <summary>A manager of the block has fallen silent: its provider is asked soon.</summary>
    public void OnManagerSilent(string blockId)
    {
        if (Interlocked.Exchange(ref _asks, 1) == 0)
            _ = _orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.Ask, blockId));
    }

    /// <summary>A manager of the block is given up.</summary>
    public void OnManagerGone(string blockId)
    {
        if (_blocks.TryGetValue(blockId, out var block))
            block.OnManagerGone(_time.GetTimestamp());
    }

    /// <summary>What the block's managers that have not come hold is not waited for any more.</summary>
    public void OnManagersLate(string blockId) => OnManagers(blockId, static block => block.OnManagersLate());

    /// <summary>Whether the secret is that of the block, and the block is one of ours that has not ended. Takes the same time for every wrong secret.</summary>
    public bool TryAuthenticate(string blockId, string secret)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret), hash);
        return _blocks.TryGetValue(blockId, out var block) && block.Matches(hash);
    }

    /// <summary>Blocks that an earlier process of this endpoint had requested and that were still there when this one started. Known before the host starts.</summary>
    public IReadOnlyList<KnownBlock> Surviving() => _surviving;

    /// <summary>The job of a block, as its scheduler calls it; empty when there is none, or none any more.</summary>
    public string JobOf(string blockId) => _blocks.TryGetValue(blockId, out var block) ? block.JobId ?? "" : "";

    /// <summary>Every block that has not ended, oldest first, for status.</summary>
    public IReadOnlyList<KnownBlock> Current()
    {
        var known = _blocks.Values.Select(block => block.Known(Silence(block))).ToList();
        known.Sort((left, right) => left.RequestedAt.CompareTo(right.RequestedAt));
        return known;
    }

    /// <summary>A block id that no other block of any process has.</summary>
    public static string NewBlockId() => $"b{Guid.CreateVersion7():N}"[..20];

    /// <summary>Finds what an earlier process left. Before the host starts.</summary>
    public async Task RecoverAsync(CancellationToken cancellation)
    {
        foreach (var block in await _recovery.FindAsync(cancellation))
            _blocks[block.Request.BlockId] = block;
        _surviving = Current();
        await EndOrphansAsync(cancellation);
    }

    /// <summary>Says where managers dial in: blocks that survived are told, and requests are served from now on.</summary>
    /// <param name="addresses">host:port of each listener.</param>
    public void Listening(IReadOnlyList<string> addresses)
    {
        foreach (var block in _blocks.Values)
            _writer.Announce(block, addresses);
        _listening.TrySetResult(addresses);
    }

    /// <summary>Ends all blocks and returns when they are over or the time is up; no further ones are started.</summary>
    public async Task EndAllAsync(TimeSpan patience)
    {
        _endingAll = true;
        _orders.Writer.TryComplete();
        foreach (var block in _blocks.Values)
            _endings.Begin(block);
        var begun = _time.GetTimestamp();
        while (!_blocks.IsEmpty && _time.GetElapsedTime(begun) < patience)
            await Task.Delay(TimeSpan.FromMilliseconds(20), _time);
        foreach (var block in _blocks.Values)
            Log.BlockLeft(_logger, block.Request.BlockId, block.JobId ?? "not submitted", patience.TotalSeconds);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var addresses = await _listening.Task.WaitAsync(stoppingToken);
            while (!stoppingToken.IsCancellationRequested)
            {
                // Read before the orders: a block that is wished to end has been requested before.
                var wished = _endings.Wished;
                while (_orders.Reader.TryRead(out var order))
                    await FollowAsync(order, addresses, stoppingToken);
                _endings.Follow(wished, _blocks, _endingAll);
                await PollAsync(stoppingToken);
                TellPending();
                WriteAgain(addresses);
                await WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops; the runner has ended the blocks before, or leaves them to a newer process.
        }
    }

    private async Task WaitAsync(CancellationToken stopping)
    {
        if (_blocks.IsEmpty && _orphansEnded && !_orders.Reader.Completion.IsCompleted)
        {
            await _orders.Reader.WaitToReadAsync(stopping);
            return;
        }

        var interval = Interval();
        if (_orders.Reader.Completion.IsCompleted)
        {
            await Task.Delay(interval, _time, stopping);
            return;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await using var timer = _timers.CreateTimer(EndWait, limit, interval, Timeout.InfiniteTimeSpan);
        await ((Task)_orders.Reader.WaitToReadAsync(limit.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private TimeSpan Interval()
    {
        if (_blocks.IsEmpty)
            return s_orphansAgain;
        // While something ends it is worth looking sooner: whoever stops the endpoint waits for it.
        if (_blocks.Values.Any(_endings.EndsSoon))
            return TimeSpan.FromMilliseconds(50);
        return UntilAskedAgain() is var left && left > TimeSpan.Zero ? left : _provider.PollInterval;
    }

    private static void EndWait(object? limit)
    {
        try
        {
            ((CancellationTokenSource)limit!).Cancel();
        }
        catch (ObjectDisposedException)
        {
            // An order came at the same moment, and the wait is over.
        }
    }

    private async Task FollowAsync(BlockOrder order, IReadOnlyList<string> addresses, CancellationToken stopping)
    {
        if (order.Kind == BlockOrderKind.Write)
            return;
        if (order.Kind == BlockOrderKind.Ask)
        {
            Volatile.Write(ref _asks, 0);
            _provider.Hurry();
            return;
        }

        if (order.Kind == BlockOrderKind.End)
        {
            if (_blocks.TryGetValue(order.BlockId, out var known))
                _endings.Begin(known);
            return;
        }

        if (_endingAll)
        {
            _observer.OnBlockEnded(order.BlockId, new BlockEnding("the endpoint is stopping"));
            return;
        }

        if (_blocks.ContainsKey(order.BlockId) || Directory.Exists(_directories.PathOf(order.BlockId)))
        {
            Log.BlockTwice(_logger, order.BlockId);
            return;
        }

        var block = new Block(_requests.Of(order.BlockId, _configuration.Provider.Nodes), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), _time.GetUtcNow(), new BlockRepairs(_time),
            _configuration.Launcher?.LeadersOnly(_configuration.Provider.Nodes) ?? 0);
        try
        {
            // On disk before anything is submitted: a process that is killed in between is succeeded by one that looks for the job.
            _writer.Create(block, addresses);
            _blocks[order.BlockId] = block;
            block.JobId = await _provider.SubmitAsync(block.Request, stopping);
            _writer.Write(block);
            Log.BlockSubmitted(_logger, order.BlockId, _provider.Name, block.JobId);
        }
        catch (BlockSubmissionUnclearException problem)
        {
            // Neither given up, which might leave a job that nobody knows, nor asked for again, which might make two.
            _search.OnUnclear(block, problem.Message);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException or UnauthorizedAccessException)
        {
            Finish(block, BlockState.Failed, $"the {_provider.Name} provider could not start block {order.BlockId}: {problem.Message}");
        }
    }

    private async Task EndOrphansAsync(CancellationToken cancellation)
    {
        _orphansEnded = await _search.EndOrphansAsync(_blocks.Keys.ToHashSet(StringComparer.Ordinal), cancellation);
        _orphansSoughtAt = _time.GetTimestamp();
    }

    private async Task SearchUnclearAsync(CancellationToken stopping)
    {
        foreach (var block in _blocks.Values.Where(block => block.JobId is null && block.UnclearSince > 0 && _time.GetElapsedTime(block.SearchedAt) >= _provider.PollInterval))
        {
            await _search.FindAsync(block, stopping);
            if (block.JobId is not null)
            {
                (block.UnclearSince, block.Reason) = (0, "");
                _writer.Write(block);
                Log.BlockSubmitted(_logger, block.Request.BlockId, _provider.Name, block.JobId);
            }
            else if (_time.GetElapsedTime(block.UnclearSince) > s_arrives)
                Finish(block, BlockState.Failed, $"the {_provider.Name} provider took no job for block {block.Request.BlockId}: {block.Reason}");
        }
    }

    private async Task PollAsync(CancellationToken stopping)
    {
        await SearchUnclearAsync(stopping);
        if (!_orphansEnded && _unanswered is null && _time.GetElapsedTime(_orphansSoughtAt) >= s_orphansAgain)
            await EndOrphansAsync(stopping);
        var submitted = _blocks.Values.Where(block => block.JobId is not null).ToArray();
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
            statuses = await _provider.QueryAsync([.. submitted.Select(block => new SubmittedBlock(block.Request, block.JobId!))], stopping);
            _unanswered = null;
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException)
        {
            // Blocks stay as they are: not to be told is not an end. Said once, not at every question.
            if (_unanswered?.Message != problem.Message)
                Log.QueryFailed(_logger, _provider.Name, problem.Message);
            _unanswered = new UnansweredPoll(_unanswered?.Since ?? _time.GetUtcNow(), problem.Message, _time.GetTimestamp());
            return;
        }

        for (var i = 0; i < submitted.Length; i++)
        {
            Apply(submitted[i], statuses[i]);
            if (statuses[i].NodesLost > 0)
                await RepairAsync(submitted[i], stopping);
        }
    }

    private TimeSpan UntilAskedAgain() => _unanswered is { } last ? _provider.PollInterval - _time.GetElapsedTime(last.At) : TimeSpan.Zero;

    // The state of a block that was submitted is as old as the last answer.
    private string Silence(Block block) => block.JobId is not null && _unanswered is { } unanswered ? unanswered.Describe(_provider.Name) : "";

    private void TellPending()
    {
        foreach (var block in _blocks.Values)
        {
            var known = block.Known(Silence(block));
            var reason = known.State == BlockState.Pending ? known.Reason : "";
            if (reason == block.PendingTold)
                continue;
            block.PendingTold = reason;
            _observer.OnBlockPending(block.Request.BlockId, reason);
        }
    }

    private async Task RepairAsync(Block block, CancellationToken stopping)
    {
        if (_endingAll || block.EndRequested || !block.Repairs.TryBegin())
            return;
        try
        {
            block.JobId = await _provider.RepairAsync(new SubmittedBlock(block.Request, block.JobId!), stopping);
            _writer.Write(block);
            Log.BlockRepaired(_logger, block.Request.BlockId, block.JobId);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException or UnauthorizedAccessException)
        {
            Log.RepairFailed(_logger, block.Request.BlockId, problem.Message);
        }

        if (block.Repairs.GivenUp)
            Log.RepairsGivenUp(_logger, block.Request.BlockId, BlockRepairs.Most);
    }

    private void Apply(Block block, BlockStatus status)
    {
        if (status.State.IsEnd())
        {
            if (block.EndRequested)
                Finish(block, BlockState.Cancelled, "ended by the endpoint");
            else
                Finish(block, status.State, status.Reason);
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
            _observer.OnBlockEnds(block.Request.BlockId, endsAt);
        }

        if (status.Suspended != block.Suspended)
        {
            block.Suspended = status.Suspended;
            _observer.OnBlockSuspended(block.Request.BlockId, status.Suspended);
        }

        if (status.State == block.State && status.Reason == block.Reason && block.RunningReported)
            return;
        (block.State, block.Reason) = (status.State, status.Reason);
        if (block.Reason.Length > 0)
            Log.BlockNote(_logger, block.Request.BlockId, block.Reason);
        _writer.Write(block);
        if (block.State != BlockState.Running || block.RunningReported)
            return;
        block.RunningReported = true;
        _observer.OnBlockRunning(block.Request.BlockId);
    }

    private void Finish(Block block, BlockState state, string reason)
    {
        _blocks.TryRemove(block.Request.BlockId, out _);
        _writer.WriteEnd(block, state, reason);
        _writer.Prune(block.Request.BlockId);
        Log.BlockEnded(_logger, block.Request.BlockId, state, reason);
        if (_provider.IsOnce && state == BlockState.Completed)
            _over.TrySetResult();
        _observer.OnBlockEnded(block.Request.BlockId, new BlockEnding(reason.Length > 0 ? $"{SnakeCase.Of(state)}: {reason}" : SnakeCase.Of(state), state == BlockState.TimedOut));
    }

    private void OnManagers(string blockId, Func<Block, bool> change)
    {
        if (_blocks.TryGetValue(blockId, out var block) && change(block))
            _ = _orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.Write, blockId));
    }

    private void WriteAgain(IReadOnlyList<string> addresses)
    {
        var comesBack = _time.GetTimestamp() - (long)(s_comesBack.TotalSeconds * _time.TimestampFrequency);
        foreach (var block in _blocks.Values)
        {
            block.CountGone(comesBack);
            _writer.WriteAgain(block, addresses);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} requested from the {Provider} provider as job {Job}")]
        public static partial void BlockSubmitted(ILogger logger, string block, string provider, string job);

        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} ended ({State}): {Reason}")]
        public static partial void BlockEnded(ILogger logger, string block, BlockState state, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block}: {Reason}")]
        public static partial void BlockNote(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the lost managers of block {Block} were started again; it is job {Job} now")]
        public static partial void BlockRepaired(ILogger logger, string block, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the lost managers of block {Block} could not be started again: {Reason}")]
        public static partial void RepairFailed(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "block {Block} lost managers {Times} times with less than ten minutes in between; it goes on without those it loses from now on")]
        public static partial void RepairsGivenUp(ILogger logger, string block, int times);

        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} was requested twice; the second request is ignored")]
        public static partial void BlockTwice(ILogger logger, string block);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the {Provider} provider could not be asked about its blocks: {Reason}")]
        public static partial void QueryFailed(ILogger logger, string provider, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "block {Block} (job {Job}) is still there after {Seconds} s; end it by hand, or start the endpoint again: it finds the block")]
        public static partial void BlockLeft(ILogger logger, string block, string job, double seconds);
    }
}
