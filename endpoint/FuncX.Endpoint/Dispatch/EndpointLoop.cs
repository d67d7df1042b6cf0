using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// The one loop that owns all routing state. Events are handled in turns: a turn takes what the inbox holds, decides, and flushes every connection it touched
/// once. There is no thread of its own: whoever posts into an idle loop runs the turn, which saves a thread hop on the way of a single task; a poster that
/// finds the loop running leaves its event to the runner. Every producer has at most one event in the inbox (<see cref="PostAndWait"/>), which bounds it.
/// Measured by: bench engine.
/// </summary>
public sealed partial class EndpointLoop : IThreadPoolWorkItem
{
    // After so many turns in a row the runner passes the loop on to the pool and goes back to its own work.
    private const int TurnsPerRunner = 64;

    private readonly Lock _gate = new();
    private readonly Dispatcher _dispatcher;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly ILogger<EndpointLoop> _logger;
    private LoopEvent? _first;
    private LoopEvent? _last;
    private bool _running;
    private Exception? _failure;

    public EndpointLoop(Dispatcher dispatcher, IHostApplicationLifetime lifetime, ILogger<EndpointLoop> logger)
    {
        _dispatcher = dispatcher;
        _lifetime = lifetime;
        _logger = logger;
        dispatcher.Attach(this);
    }

    /// <summary>Numbers for status: counts of hops as of now, the rest at most a second old.</summary>
    public EndpointSnapshot Snapshot => _dispatcher.Snapshot with { Hops = _dispatcher.Hops };

    /// <summary>The same, all of this moment and each manager's too; for whoever asks seldom.</summary>
    public async ValueTask<EndpointSnapshot> DescribeAsync()
    {
        var now = Snapshot;
        await Run(dispatcher => now = dispatcher.DescribeAll());
        return now;
    }

    /// <summary>Hands an event to the loop; it may be handled before this returns.</summary>
    public void Post(LoopEvent loopEvent)
    {
        lock (_gate)
        {
            loopEvent.Next = null;
            if (_last is null)
                _first = loopEvent;
            else
                _last.Next = loopEvent;
            _last = loopEvent;
            if (_running)
                return;
            _running = true;
        }

        RunTurns();
    }

    /// <summary>Hands an event to the loop and waits until it has been handled.</summary>
    public ValueTask PostAndWait(AwaitedEvent loopEvent)
    {
        var handled = loopEvent.Begin();
        Post(loopEvent);
        return handled;
    }

    /// <summary>Runs an action on the loop and waits for it.</summary>
    public ValueTask Run(Action<Dispatcher> action) => PostAndWait(new ActionEvent(action));

    void IThreadPoolWorkItem.Execute() => RunTurns();

    private void RunTurns()
    {
        for (var turn = 0; turn < TurnsPerRunner; turn++)
        {
            LoopEvent? next;
            lock (_gate)
            {
                next = _first;
                _first = _last = null;
                if (next is null)
                {
                    _running = false;
                    return;
                }
            }

            RunTurn(next);
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private void RunTurn(LoopEvent? next)
    {
        try
        {
            _dispatcher.BeginTurn();
            while (next is not null)
            {
                // Read before Handled: the producer may post the same object again at once.
                var current = next;
                next = current.Next;
                if (_failure is null)
                    current.Handle(_dispatcher);
                current.Handled();
            }

            if (_failure is null)
                _dispatcher.EndTurn();
        }
        catch (Exception problem)
        {
            // State may be half changed: the process ends, and the next one asks service and managers what they hold.
            _failure = problem;
            Failed(_logger, problem);
            Environment.ExitCode = ExitCode.Broken;
            _lifetime.StopApplication();
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "the endpoint's loop failed; the process ends")]
    private static partial void Failed(ILogger logger, Exception problem);
}
