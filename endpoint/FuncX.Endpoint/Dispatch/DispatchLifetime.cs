using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Spool;
using FuncX.Providers;

namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// Ties the loop to blocks and spool before anything starts, and stops it before anything ends: what waits is given back, what runs gets a moment, and results that
/// the service has not taken are on disk when the process goes.
/// </summary>
public sealed partial class DispatchLifetime : IHostedLifecycleService
{
    private static readonly TimeSpan _finishWithin = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(50);

    private readonly EndpointLoop _loop;
    private readonly Dispatcher _dispatcher;
    private readonly BlockSupervisor _blocks;
    private readonly SpoolWriter _spool;
    private readonly ExecutionLog _executions;
    private readonly EndpointExit _exit;
    private readonly EndpointConfiguration _configuration;
    private readonly TimeProvider _time;
    private readonly ILogger<DispatchLifetime> _logger;
    private bool _finished;

    internal DispatchLifetime(EndpointLoop loop, Dispatcher dispatcher, BlockSupervisor blocks, SpoolWriter spool, ExecutionLog executions, EndpointExit exit, EndpointConfiguration configuration,
        TimeProvider time, ILogger<DispatchLifetime> logger)
    {
        _loop = loop;
        _dispatcher = dispatcher;
        _blocks = blocks;
        _spool = spool;
        _executions = executions;
        _exit = exit;
        _configuration = configuration;
        _time = time;
        _logger = logger;
    }

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var survivors = _blocks.Surviving();
        await _loop.Run(d =>
        {
            // Asked from the pool: the supervisor is not to be entered from within a turn.
            d.OnRequestBlock = block => ThreadPool.UnsafeQueueUserWorkItem(static s => s.Blocks.Request(s.Block), (Blocks: _blocks, Block: block), preferLocal: false);
            d.OnEndBlock = (block, _) => ThreadPool.UnsafeQueueUserWorkItem(static s => s.Blocks.End(s.Block), (Blocks: _blocks, Block: block), preferLocal: false);
            d.OnManagerJoined = _blocks.OnManagerJoined;
            d.OnManagerSilent = _blocks.OnManagerSilent;
            d.OnManagerGone = block =>
            {
                // Whose connections this process ends itself are there for the next.
                if (!_exit.LeaveBlocks)
                    _blocks.OnManagerGone(block);
            };
            d.OnManagersLate = _blocks.OnManagersLate;
            d.JobOf = _blocks.JobOf;
            d.OnExecutions = _executions.Add;
            d.Link.Post = _loop.Post;
            d.Link.Spool = _spool.Write;
            d.Link.SpoolBytes = () => _spool.Bytes;
            d.Link.SpoolOfOthers = _spool.OfOthers;
            foreach (var block in survivors)
            {
                if (block.State == BlockState.Running)
                    d.Core.OnBlockSurvived(block.BlockId, block.ManagersLeft(_configuration.Workers.ManagersPerNode), d.Now + (long)Survivors.Patience.TotalMicroseconds);
                else
                    d.Core.OnBlockWaiting(block.BlockId);
            }

            d.Survivors.Expect(survivors.Where(block => block.State == BlockState.Running), _configuration.Workers.ManagersPerNode);
        });
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => FinishAsync(cancellationToken);

    /// <summary>
    /// Before blocks are ended: gives back what waits, lets what runs finish for a moment, and has results that the service has not taken spooled. At most some
    /// seconds; may be called again.
    /// </summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (!_exit.LeaveBlocks && !_finished)
        {
            await _loop.Run(d =>
            {
                d.Link.OnStop();
                d.Core.OnStop(d);
            });
            _finished = true;
            await UntilAsync(() => _dispatcher.Core.Running == 0 && _dispatcher.Ledger.IsEmpty, cancellationToken);
        }

        await _loop.Run(d =>
        {
            d.Executions.Flush();
            d.Link.SpoolHeld();
        });
        await UntilAsync(() => _dispatcher.Ledger.IsEmpty, cancellationToken);
    }

    /// <summary>Takes no more tasks, gives back what waits, and returns once nothing runs.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        await _loop.Run(d =>
        {
            d.Link.OnStop();
            d.Core.OnDrain(d);
        });
        // What managers hold that have not come back yet is not known, and still runs.
        await Task.WhenAny(_dispatcher.Survivors.Back, Task.Delay(Survivors.Patience, _time, cancellationToken));
        for (var running = int.MaxValue; running > 0 && !cancellationToken.IsCancellationRequested;)
        {
            await _loop.Run(d => running = d.Core.Running);
            if (running > 0)
                await Task.Delay(_look, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>So many blocks from now on whatever the demand; null: they follow it.</summary>
    public ValueTask ScaleAsync(int? blocks) => _loop.Run(d => d.Core.OnScale(blocks));

    /// <summary>
    /// Has results that the service has not taken spooled, and returns once there are none. While some fit nowhere it goes on trying: they are with the managers or
    /// in this process, and would be gone with both.
    /// </summary>
    /// <param name="isGivenUp">Asked again and again; true: returns with what is left.</param>
    /// <returns>Results that are durable nowhere, 0 unless it was given up.</returns>
    public async Task<long> KeepResultsAsync(Func<bool> isGivenUp)
    {
        var begun = _time.GetTimestamp();
        var told = 0L;
        while (true)
        {
            var (results, bytes) = (0L, 0L);
            await _loop.Run(d =>
            {
                d.Link.SpoolHeld();
                (results, bytes) = d.Ledger.Undurable();
            });
            if (bytes == 0 || isGivenUp())
                return results;
            if (results != told && _time.GetElapsedTime(begun) > _finishWithin)
            {
                told = results;
                var reason = _dispatcher.Snapshot.Note is { Length: > 0 } note ? note : "the service does not commit them";
                LogWaiting(results, bytes, reason);
            }

            await Task.Delay(_look, _time);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task UntilAsync(Func<bool> done, CancellationToken cancellationToken)
    {
        var end = _time.GetUtcNow() + _finishWithin;
        var isDone = false;
        while (_time.GetUtcNow() < end && !cancellationToken.IsCancellationRequested)
        {
            await _loop.Run(_ => isDone = done());
            if (isDone)
                return;
            await Task.Delay(_look, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Results} results ({Bytes} bytes) are stored neither at the service nor in the spool: {Reason}. The endpoint ends once they are; `stop --force` ends it without them")]
    private partial void LogWaiting(long results, long bytes, string reason);
}
