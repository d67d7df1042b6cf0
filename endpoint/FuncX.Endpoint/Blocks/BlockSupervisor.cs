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
/// called from any thread; reports come from the supervisor's own loop. It waits without a timer while there is no block.
/// </summary>
public sealed partial class BlockSupervisor(EndpointConfiguration configuration, EndpointIdentity identity, IBlockProvider provider, EndpointCertificate certificate,
    ManagerProgram manager, TimeProvider time, ILogger<BlockSupervisor> logger) : BackgroundService
{
    private const int MaxOrders = 16_384;

    // A provider that has taken an order to end a block needs a moment; an order that changed nothing is given again.
    private static readonly TimeSpan s_endsSoon = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_endAgain = TimeSpan.FromSeconds(30);

    // A submission that was sent and not answered may be served that much later.
    private static readonly TimeSpan s_arrives = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan s_mayBeOnItsWay = TimeSpan.FromMinutes(5);

    // A manager whose connection broke is back within a few seconds, or not at all.
    private static readonly TimeSpan s_comesBack = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _timers = TimerThread.For(time, "block polls");
    private readonly BlockDirectories _directories = new(configuration);
    private readonly ConcurrentDictionary<string, Block> _blocks = new(StringComparer.Ordinal);
    private readonly Channel<BlockOrder> _orders = Channel.CreateBounded<BlockOrder>(new BoundedChannelOptions(MaxOrders) { SingleReader = true });
    private readonly ConcurrentDictionary<string, byte> _wishedToEnd = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<IReadOnlyList<string>> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IReadOnlyList<string> _ended = [];
    private IReadOnlyList<KnownBlock> _surviving = [];
    private Action<string> _onRunning = _ => { };
    private Action<string, BlockEnding> _onEnded = (_, _) => { };
    // Named by the endpoint's identity, so that endpoints of one name, each with a state directory of its own, do not take each other's jobs.
    private readonly string _owner = OwnerOf(identity);
    private readonly BlockRequests _requests = new(configuration, OwnerOf(identity), manager.Path);
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _orphansEnded;
    private string _pollFailure = "";
    private volatile bool _endingAll;

    /// <summary>Completed when no block can be had any more: the provider's only one has ended by itself.</summary>
    public Task Over => _over.Task;

    /// <summary>Names who is told. Before the host starts; exactly once.</summary>
    /// <param name="onRunning">Block id: its provider has given it nodes.</param>
    /// <param name="onEnded">Block id and how: it is over, or could not be had. Told once for each block that was requested or survived.</param>
    public void Register(Action<string> onRunning, Action<string, BlockEnding> onEnded)
    {
        _onRunning = onRunning;
        _onEnded = onEnded;
    }

    /// <summary>Asks for a block. The id is the caller's choice, never used before in this state directory: see <see cref="NewBlockId"/>.</summary>
    /// <exception cref="ArgumentException">The id is not 1 to 32 of a-z 0-9 -.</exception>
    public void Request(string blockId)
    {
        if (blockId.Length is 0 or > 32 || !blockId.All(letter => char.IsAsciiDigit(letter) || char.IsAsciiLetterLower(letter) || letter == '-'))
            throw new ArgumentException($"'{blockId}' cannot name a block; expected 1 to 32 of a-z 0-9 -", nameof(blockId));
        if (!_orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.Request, blockId)))
            _onEnded(blockId, new BlockEnding($"{MaxOrders} orders for blocks are waiting already, or the endpoint is stopping"));
    }

    /// <summary>Ends a block; an unknown or ended one is ignored. The end is reported as any other.</summary>
    public void End(string blockId)
    {
        // The wish stands also when the order finds no room: the loop has others to follow then, and looks at the wishes behind them.
        _wishedToEnd[blockId] = 0;
        _ = _orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.End, blockId));
    }

    /// <summary>A manager of the block has connected that this process did not know.</summary>
    public void OnManagerJoined(string blockId) => OnManagers(blockId, static block => block.OnManagerJoined());

    /// <summary>A manager of the block is given up.</summary>
    public void OnManagerGone(string blockId)
    {
        if (_blocks.TryGetValue(blockId, out var block))
            block.OnManagerGone(time.GetTimestamp());
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
        var known = _blocks.Values.Select(block => block.Known()).ToList();
        known.Sort((left, right) => left.RequestedAt.CompareTo(right.RequestedAt));
        return known;
    }

    /// <summary>A block id that no other block of any process has.</summary>
    public static string NewBlockId() => $"b{Guid.CreateVersion7():N}"[..20];

    /// <summary>Finds what an earlier process left. Before the host starts.</summary>
    public async Task RecoverAsync(CancellationToken cancellation)
    {
        var ended = new List<string>();
        var found = new List<Block>();
        foreach (var file in _directories.Read((path, problem) => Log.BlockUnreadable(logger, path, problem.Message)))
        {
            if (file.State.IsEnd() || file.Provider != provider.Name)
            {
                ended.Add(file.Block);
                continue;
            }

            if (file.Identity != identity.Key)
            {
                // What its managers hold is for another service. They find no endpoint and end by themselves, unless one of that identity starts before.
                Log.BlockOfOther(logger, file.Block, file.Identity ?? "unknown", file.JobId ?? "not submitted");
                continue;
            }

            if (provider.IsElsewhere(file.Host, file.JobId))
            {
                // Its managers may be at work: a process there, should it take its place back, finds them with what they hold.
                Log.BlockElsewhere(logger, file.Block, file.Host);
                continue;
            }

            var block = new Block(_requests.Of(file.Block, file.Nodes), file.Secret, file.Requested, new BlockRepairs(time), Math.Clamp(file.Missing, 0, file.Nodes))
            {
                State = file.State,
                Reason = file.Reason,
                JobId = file.JobId,
                RunningReported = file.State == BlockState.Running,
            };
            if (block.JobId is null)
                await SearchAsync(block, cancellation);
            if (block.JobId is not null)
            {
                found.Add(block);
                continue;
            }

            // The scheduler is away, or its command is still on its way: it is looked for again.
            if (block.UnclearSince > 0 || (provider.AppearsLate && time.GetUtcNow() - file.Requested < s_mayBeOnItsWay))
            {
                if (block.UnclearSince == 0)
                    (block.UnclearSince, block.Reason) = (time.GetTimestamp(), "the endpoint was killed while it submitted the block");
                _blocks[block.Request.BlockId] = block;
                continue;
            }

            MarkEnded(block, BlockState.Lost, "the endpoint was killed before it had submitted the block");
            ended.Add(file.Block);
        }

        var statuses = await AskAsync(found, cancellation);
        for (var i = 0; i < found.Count; i++)
        {
            if (statuses[i].State.IsEnd())
            {
                MarkEnded(found[i], statuses[i].State, statuses[i].Reason);
                ended.Add(found[i].Request.BlockId);
                Log.BlockGone(logger, found[i].Request.BlockId, statuses[i].State, statuses[i].Reason);
                continue;
            }

            if (statuses[i].State != BlockState.Unknown)
                found[i].State = statuses[i].State;
            found[i].Reason = statuses[i].Reason;
            found[i].RunningReported = found[i].State == BlockState.Running;
            Write(found[i]);
            _blocks[found[i].Request.BlockId] = found[i];
            Log.BlockFound(logger, found[i].Request.BlockId, found[i].State, found[i].JobId!);
        }

        _ended = _directories.Prune(ended);
        _surviving = Current();
        await EndOrphansAsync(cancellation);
    }

    // A provider that cannot be asked at a start is no reason not to start: its blocks are as they were until it answers.
    private async Task<IReadOnlyList<BlockStatus>> AskAsync(List<Block> blocks, CancellationToken cancellation)
    {
        if (blocks.Count == 0)
            return [];
        try
        {
            return await provider.QueryAsync([.. blocks.Select(block => new SubmittedBlock(block.Request, block.JobId!))], cancellation);
        }
        catch (BlockProviderException problem)
        {
            Log.QueryFailed(logger, provider.Name, problem.Message);
            return [.. blocks.Select(block => new BlockStatus(BlockState.Unknown, problem.Message))];
        }
    }

    private async Task EndOrphansAsync(CancellationToken cancellation)
    {
        try
        {
            foreach (var job in await provider.EndOrphansAsync(_owner, _blocks.Keys.ToHashSet(StringComparer.Ordinal), configuration.StateDirectory, cancellation))
                Log.OrphanEnded(logger, job);
            _orphansEnded = true;
        }
        catch (BlockProviderException problem)
        {
            Log.OrphansUnknown(logger, provider.Name, problem.Message);
        }
    }

    /// <summary>Says where managers dial in: blocks that survived are told, and requests are served from now on.</summary>
    /// <param name="addresses">host:port of each listener.</param>
    public void Listening(IReadOnlyList<string> addresses)
    {
        foreach (var block in _blocks.Values)
            Announce(block, addresses);
        _listening.TrySetResult(addresses);
    }

    /// <summary>Ends all blocks and returns when they are over or the time is up; no further ones are started.</summary>
    public async Task EndAllAsync(TimeSpan patience)
    {
        _endingAll = true;
        _orders.Writer.TryComplete();
        foreach (var block in _blocks.Values)
            BeginEnding(block);
        var begun = time.GetTimestamp();
        while (!_blocks.IsEmpty && time.GetElapsedTime(begun) < patience)
            await Task.Delay(TimeSpan.FromMilliseconds(20), time);
        foreach (var block in _blocks.Values)
            Log.BlockLeft(logger, block.Request.BlockId, block.JobId ?? "not submitted", patience.TotalSeconds);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var addresses = await _listening.Task.WaitAsync(stoppingToken);
            while (!stoppingToken.IsCancellationRequested)
            {
                // Read before the orders: a block that is wished to end has been requested before.
                var wished = _wishedToEnd.Keys;
                while (_orders.Reader.TryRead(out var order))
                    await FollowAsync(order, addresses, stoppingToken);
                EndWished(wished);
                await PollAsync(stoppingToken);
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
        if (_blocks.IsEmpty && !_orders.Reader.Completion.IsCompleted)
        {
            await _orders.Reader.WaitToReadAsync(stopping);
            return;
        }

        // While something ends it is worth looking sooner: whoever stops the endpoint waits for it.
        var interval = _blocks.Values.Any(block => block.EndingSince > 0 && time.GetElapsedTime(block.EndingSince) < s_endsSoon) ? TimeSpan.FromMilliseconds(50) : provider.PollInterval;
        if (_orders.Reader.Completion.IsCompleted)
        {
            await Task.Delay(interval, time, stopping);
            return;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await using var timer = _timers.CreateTimer(EndWait, limit, interval, Timeout.InfiniteTimeSpan);
        await ((Task)_orders.Reader.WaitToReadAsync(limit.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
        if (order.Kind == BlockOrderKind.End)
        {
            if (_blocks.TryGetValue(order.BlockId, out var known))
                BeginEnding(known);
            return;
        }

        if (_endingAll)
        {
            _onEnded(order.BlockId, new BlockEnding("the endpoint is stopping"));
            return;
        }

        if (_blocks.ContainsKey(order.BlockId) || Directory.Exists(_directories.PathOf(order.BlockId)))
        {
            Log.BlockTwice(logger, order.BlockId);
            return;
        }

        var block = new Block(_requests.Of(order.BlockId, configuration.Provider.Nodes), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), time.GetUtcNow(), new BlockRepairs(time));
        try
        {
            _directories.Create(order.BlockId);
            // On disk before anything is submitted: a process that is killed in between is succeeded by one that looks for the job.
            _directories.WriteBlock(block.File(identity.Key, provider.Name));
            _directories.WriteRendezvous(new RendezvousFile(addresses, certificate.Fingerprint, block.Secret, order.BlockId));
            _blocks[order.BlockId] = block;
            block.JobId = await provider.SubmitAsync(block.Request, stopping);
            Write(block);
            Log.BlockSubmitted(logger, order.BlockId, provider.Name, block.JobId);
        }
        catch (BlockSubmissionUnclearException problem)
        {
            // Neither given up, which might leave a job that nobody knows, nor asked for again, which might make two.
            (block.UnclearSince, block.Reason) = (time.GetTimestamp(), problem.Message);
            Log.SubmissionUnclear(logger, order.BlockId, problem.Message);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException or UnauthorizedAccessException)
        {
            Finish(block, BlockState.Failed, $"the {provider.Name} provider could not start block {order.BlockId}: {problem.Message}");
        }
    }

    // Also those whose end was wished before there was a job to cancel or while a node of it was being started again, and those whose order was refused or changed nothing.
    private void EndWished(ICollection<string> wished)
    {
        foreach (var blockId in wished)
        {
            if (_blocks.TryGetValue(blockId, out var known))
                known.EndRequested = true;
            _wishedToEnd.TryRemove(blockId, out _);
        }

        foreach (var block in _blocks.Values.Where(block => block.EndRequested || _endingAll))
            BeginEnding(block);
    }

    private void BeginEnding(Block block)
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

    // Looks for the job of a block whose submission was cut short or not answered. That there is none is believed once it has been so for a while.
    private async Task SearchAsync(Block block, CancellationToken cancellation)
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

    private async Task SearchUnclearAsync(CancellationToken stopping)
    {
        foreach (var block in _blocks.Values.Where(block => block.JobId is null && block.UnclearSince > 0 && time.GetElapsedTime(block.SearchedAt) >= provider.PollInterval))
        {
            await SearchAsync(block, stopping);
            if (block.JobId is not null)
            {
                (block.UnclearSince, block.Reason) = (0, "");
                Write(block);
                Log.BlockSubmitted(logger, block.Request.BlockId, provider.Name, block.JobId);
            }
            else if (time.GetElapsedTime(block.UnclearSince) > s_arrives)
                Finish(block, BlockState.Failed, $"the {provider.Name} provider took no job for block {block.Request.BlockId}: {block.Reason}");
        }
    }

    private async Task PollAsync(CancellationToken stopping)
    {
        await SearchUnclearAsync(stopping);
        if (!_orphansEnded && _pollFailure.Length == 0 && !_blocks.IsEmpty)
            await EndOrphansAsync(stopping);
        var submitted = _blocks.Values.Where(block => block.JobId is not null).ToArray();
        if (submitted.Length == 0)
            return;
        IReadOnlyList<BlockStatus> statuses;
        try
        {
            statuses = await provider.QueryAsync([.. submitted.Select(block => new SubmittedBlock(block.Request, block.JobId!))], stopping);
            _pollFailure = "";
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException)
        {
            // Blocks stay as they are: not to be told is not an end. Said once, not at every question.
            if (_pollFailure != problem.Message)
                Log.QueryFailed(logger, provider.Name, problem.Message);
            _pollFailure = problem.Message;
            return;
        }

        for (var i = 0; i < submitted.Length; i++)
        {
            Apply(submitted[i], statuses[i]);
            if (statuses[i].NodesLost > 0)
                await RepairAsync(submitted[i], stopping);
        }
    }

    private async Task RepairAsync(Block block, CancellationToken stopping)
    {
        if (_endingAll || block.EndRequested || !block.Repairs.TryBegin())
            return;
        try
        {
            block.JobId = await provider.RepairAsync(new SubmittedBlock(block.Request, block.JobId!), stopping);
            Write(block);
            Log.BlockRepaired(logger, block.Request.BlockId, block.JobId);
        }
        catch (Exception problem) when (problem is BlockProviderException or IOException or UnauthorizedAccessException)
        {
            Log.RepairFailed(logger, block.Request.BlockId, problem.Message);
        }

        if (block.Repairs.GivenUp)
            Log.RepairsGivenUp(logger, block.Request.BlockId, BlockRepairs.Most);
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

        if ((status.State == block.State && status.Reason == block.Reason && block.RunningReported))
            return;
        (block.State, block.Reason) = (status.State, status.Reason);
        if (block.Reason.Length > 0)
            Log.BlockNote(logger, block.Request.BlockId, block.Reason);
        Write(block);
        if (block.State != BlockState.Running || block.RunningReported)
            return;
        block.RunningReported = true;
        _onRunning(block.Request.BlockId);
    }

    private void Finish(Block block, BlockState state, string reason)
    {
        _blocks.TryRemove(block.Request.BlockId, out _);
        MarkEnded(block, state, reason);
        _ended = _directories.Prune([.. _ended, block.Request.BlockId]);
        Log.BlockEnded(logger, block.Request.BlockId, state, reason);
        if (provider.IsOnce && state == BlockState.Completed)
            _over.TrySetResult();
        _onEnded(block.Request.BlockId, new BlockEnding(reason.Length > 0 ? $"{SnakeCase.Of(state)}: {reason}" : SnakeCase.Of(state), state == BlockState.TimedOut));
    }

    private static string OwnerOf(EndpointIdentity identity) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity.Key)))[..10];

    private void MarkEnded(Block block, BlockState state, string reason)
    {
        (block.State, block.Reason) = (state, reason);
        try
        {
            _directories.RemoveRendezvous(block.Request.BlockId);
            _directories.WriteBlock(block.File(identity.Key, provider.Name) with { Secret = "" });
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // A full disk must not keep a block from ending; the next start asks the provider and finds the same.
            Log.EndUnwritten(logger, block.Request.BlockId, problem.Message);
        }
    }

    // A disk that takes nothing costs the file's freshness and not the block: it is written again at a later look.
    private void Write(Block block)
    {
        // Before the file is made: what changes meanwhile is written the next time.
        block.Unsaved = false;
        if (!Try(block, () => _directories.WriteBlock(block.File(identity.Key, provider.Name))))
            block.Unsaved = true;
    }

    private void OnManagers(string blockId, Func<Block, bool> change)
    {
        if (_blocks.TryGetValue(blockId, out var block) && change(block))
            _ = _orders.Writer.TryWrite(new BlockOrder(BlockOrderKind.Write, blockId));
    }

    private void Announce(Block block, IReadOnlyList<string> addresses) => block.Unannounced = !Try(
        block, () => _directories.WriteRendezvous(new RendezvousFile(addresses, certificate.Fingerprint, block.Secret, block.Request.BlockId)));

    private void WriteAgain(IReadOnlyList<string> addresses)
    {
        var comesBack = time.GetTimestamp() - (long)(s_comesBack.TotalSeconds * time.TimestampFrequency);
        foreach (var block in _blocks.Values)
        {
            block.CountGone(comesBack);
            if (block.Unannounced)
                Announce(block, addresses);
            if (block.Unsaved)
                Write(block);
            if (!block.Unannounced && !block.Unsaved)
                block.Unwritten = "";
        }
    }

    private bool Try(Block block, Action write)
    {
        try
        {
            write();
            return true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            if (block.Unwritten != problem.Message)
                Log.BlockUnwritten(logger, block.Request.BlockId, problem.Message);
            block.Unwritten = problem.Message;
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} requested from the {Provider} provider as job {Job}")]
        public static partial void BlockSubmitted(ILogger logger, string block, string provider, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} may have a job or not, which is looked into: {Reason}")]
        public static partial void SubmissionUnclear(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "job {Job} is this endpoint's and belongs to no block that it knows; it was told to end")]
        public static partial void OrphanEnded(ILogger logger, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the {Provider} provider could not be asked for jobs that belong to no block, which is tried again: {Reason}")]
        public static partial void OrphansUnknown(ILogger logger, string provider, string reason);

        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} ended ({State}): {Reason}")]
        public static partial void BlockEnded(ILogger logger, string block, BlockState state, string reason);

        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} of an earlier process is {State}, job {Job}")]
        public static partial void BlockFound(ILogger logger, string block, BlockState state, string job);

        [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} of an earlier process is over ({State}): {Reason}")]
        public static partial void BlockGone(ILogger logger, string block, BlockState state, string reason);

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

        [LoggerMessage(Level = LogLevel.Warning,
            Message = "block {Block} runs tasks of another service or endpoint ({Identity}) and is left alone; its managers give up after a while without an endpoint, or end job {Job} by hand")]
        public static partial void BlockOfOther(ILogger logger, string block, string identity, string job);

        [LoggerMessage(Level = LogLevel.Warning,
            Message = "block {Block} runs on {Host}, which cannot be reached from here, and is left alone; its managers give up after a while without an endpoint")]
        public static partial void BlockElsewhere(ILogger logger, string block, string host);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} cannot be read and is left alone: {Reason}")]
        public static partial void BlockUnreadable(ILogger logger, string path, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the end of block {Block} could not be written down: {Reason}")]
        public static partial void EndUnwritten(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the files of block {Block} cannot be written, which is tried again: {Reason}")]
        public static partial void BlockUnwritten(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} could not be ended, which is tried again after {Seconds} s: {Reason}")]
        public static partial void CancelFailed(ILogger logger, string block, double seconds, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the {Provider} provider could not be asked about its blocks: {Reason}")]
        public static partial void QueryFailed(ILogger logger, string provider, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "block {Block} (job {Job}) is still there after {Seconds} s; end it by hand, or start the endpoint again: it finds the block")]
        public static partial void BlockLeft(ILogger logger, string block, string job, double seconds);
    }
}
