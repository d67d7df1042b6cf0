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

    // A manager whose connection broke is back within a few seconds, or not at all.
    private static readonly TimeSpan s_comesBack = TimeSpan.FromSeconds(5);
    // Between two looks while the endpoint stops.
    private static readonly TimeSpan s_stopping = TimeSpan.FromSeconds(1);

    private readonly EndpointConfiguration _configuration;
    private readonly IBlockProvider _provider;
    private readonly IBlockObserver _observer;
    private readonly TimeProvider _time;
    private readonly TimeProvider _timers;
    private readonly ILogger _logger;
    private readonly BlockDirectories _directories;
    private readonly BlockRequests _requests;
    private readonly BlockWriter _writer;
    private readonly BlockTable _blocks;
    private readonly JobSearch _search;
    private readonly BlockEndings _endings;
    private readonly BlockPoll _poll;
    private readonly BlockRecovery _recovery;
    private readonly Channel<BlockOrder> _orders = Channel.CreateBounded<BlockOrder>(new BoundedChannelOptions(MaxOrders) { SingleReader = true });
    private readonly TaskCompletionSource<IReadOnlyList<string>> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IReadOnlyList<KnownBlock> _surviving = [];
    private int _asks;

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
        _blocks = new BlockTable(provider, observer, _writer, logger);
        _search = new JobSearch(_blocks, provider, owner, configuration.StateDirectory, time, logger);
        _endings = new BlockEndings(provider, time, logger);
        _poll = new BlockPoll(_blocks, provider, observer, _writer, _search, _endings, time, logger);
        _recovery = new BlockRecovery(identity, provider, _requests, _directories, _writer, _search, time, logger);
    }

    /// <summary>Completed when no block can be had any more: the provider's only one has ended by itself.</summary>
    public Task Over => _blocks.Over;

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
        if (_blocks.TryFind(blockId, out var block))
            block.OnManagerGone(_time.GetTimestamp());
    }

    /// <summary>What the block's managers that have not come hold is not waited for any more.</summary>
    public void OnManagersLate(string blockId) => OnManagers(blockId, static block => block.OnManagersLate());

    /// <summary>Whether the secret is that of the block, and the block is one of ours that has not ended. Takes the same time for every wrong secret.</summary>
    public bool TryAuthenticate(string blockId, string secret)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret), hash);
        return _blocks.TryFind(blockId, out var block) && block.Matches(hash);
    }

    /// <summary>Blocks that an earlier process of this endpoint had requested and that were still there when this one started. Known before the host starts.</summary>
    public IReadOnlyList<KnownBlock> Surviving() => _surviving;

    /// <summary>The job of a block, as its scheduler calls it; empty when there is none, or none any more.</summary>
    public string JobOf(string blockId) => _blocks.TryFind(blockId, out var block) ? block.JobId ?? "" : "";

    /// <summary>Every block that has not ended, oldest first, for status.</summary>
    public IReadOnlyList<KnownBlock> Current()
    {
        var known = _blocks.All.Select(_poll.Known).ToList();
        known.Sort((left, right) => left.RequestedAt.CompareTo(right.RequestedAt));
        return known;
    }

    /// <summary>A block id that no other block of any process has.</summary>
    public static string NewBlockId() => $"b{Guid.CreateVersion7():N}"[..20];

    /// <summary>Finds what an earlier process left. Before the host starts.</summary>
    public async Task RecoverAsync(CancellationToken cancellation)
    {
        foreach (var block in await _recovery.FindAsync(cancellation))
            _blocks.Add(block);
        _surviving = Current();
        await _search.EndOrphansAsync(cancellation);
    }

    /// <summary>Says where managers dial in: blocks that survived are told, and requests are served from now on.</summary>
    /// <param name="addresses">host:port of each listener.</param>
    public void Listening(IReadOnlyList<string> addresses)
    {
        foreach (var block in _blocks.All)
            _writer.Announce(block, addresses);
        _listening.TrySetResult(addresses);
    }

    /// <summary>Ends all blocks and returns when they are over or the time is up; no further ones are started.</summary>
    public async Task EndAllAsync(TimeSpan patience)
    {
        _endings.WishAll();
        _orders.Writer.TryComplete();
        foreach (var block in _blocks.All)
            _endings.Begin(block);
        var begun = _time.GetTimestamp();
        while (!_blocks.IsEmpty && _time.GetElapsedTime(begun) < patience)
            await Task.Delay(TimeSpan.FromMilliseconds(20), _time);
        foreach (var block in _blocks.All)
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
                _endings.Follow(wished, _blocks);
                // A scheduler that was slow once is spared for minutes, but not while somebody waits for the stop.
                if (_endings.All)
                    _provider.Hurry();
                await _poll.RunAsync(stoppingToken);
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
        if (_blocks.IsEmpty && _search.OrphansEnded && !_orders.Reader.Completion.IsCompleted)
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
            return JobSearch.OrphansAgain;
        // While something ends it is worth looking sooner: whoever stops the endpoint waits for it.
        if (_blocks.All.Any(_endings.EndsSoon))
            return TimeSpan.FromMilliseconds(50);
        return _endings.All && _poll.Interval > s_stopping ? s_stopping : _poll.Interval;
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
        switch (order.Kind)
        {
            case BlockOrderKind.Request:
                await SubmitAsync(order.BlockId, addresses, stopping);
                break;
            case BlockOrderKind.End:
                if (_blocks.TryFind(order.BlockId, out var known))
                    _endings.Begin(known);
                break;
            case BlockOrderKind.Ask:
                Volatile.Write(ref _asks, 0);
                _provider.Hurry();
                break;
            case BlockOrderKind.Write:
                // Every turn of the loop does that.
                break;
        }
    }

    private async Task SubmitAsync(string blockId, IReadOnlyList<string> addresses, CancellationToken stopping)
    {
        if (_endings.All)
        {
            _observer.OnBlockEnded(blockId, new BlockEnding("the endpoint is stopping"));
            return;
        }

        if (_blocks.TryFind(blockId, out _) || Directory.Exists(_directories.PathOf(blockId)))
        {
            Log.BlockTwice(_logger, blockId);
            return;
        }

        var block = new Block(_requests.Of(blockId, _configuration.Provider.Nodes), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), _time.GetUtcNow(), new BlockRepairs(_time),
            _configuration.Launcher?.LeadersOnly(_configuration.Provider.Nodes) ?? 0);
        try
        {
            // On disk before anything is submitted: a process that is killed in between is succeeded by one that looks for the job.
            _writer.Create(block, addresses);
            _blocks.Add(block);
            block.JobId = await _provider.SubmitAsync(block.Request, stopping);
            _blocks.OnSubmitted(block);
        }
        catch (BlockSubmissionUnclearException problem)
        {
            // Neither given up, which might leave a job that nobody knows, nor asked for again, which might make two.
            _search.OnUnclear(block, problem.Message);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException or UnauthorizedAccessException)
        {
            _blocks.Finish(block, BlockState.Failed, $"the {_provider.Name} provider could not start block {blockId}: {problem.Message}");
        }
    }

    private void OnManagers(string blockId, Func<Block, bool> change)
    {
        if (_blocks.TryFind(blockId, out var block) && change(block))
            _ = _orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.Write, blockId));
    }

    private void WriteAgain(IReadOnlyList<string> addresses)
    {
        var comesBack = _time.GetTimestamp() - (long)(s_comesBack.TotalSeconds * _time.TimestampFrequency);
        foreach (var block in _blocks.All)
        {
            block.CountGone(comesBack);
            _writer.WriteAgain(block, addresses);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} was requested twice; the second request is ignored")]
        public static partial void BlockTwice(ILogger logger, string block);

        [LoggerMessage(Level = LogLevel.Error, Message = "block {Block} (job {Job}) is still there after {Seconds} s; end it by hand, or start the endpoint again: it finds the block")]
        public static partial void BlockLeft(ILogger logger, string block, string job, double seconds);
    }
}
