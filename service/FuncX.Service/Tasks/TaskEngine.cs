using System.Collections.Concurrent;
using System.Diagnostics;
using FuncX.Configuration;
using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Observation;
using FuncX.Service.Storage;
using FuncX.Service.Tasks.Events;
using FuncX.Wire;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Tasks;

/// <summary>
/// The one owner of all live state. Requests enqueue events; a turn takes up everything that waits, changes the state, makes one chunk durable and
/// only then lets anybody know. A lone request runs its turn on its own thread; under load one thread runs turns back to back. Safe for any thread.
/// Benchmark: bench store.
/// </summary>
public sealed partial class TaskEngine : IDisposable
{
    private const int TurnEvents = 16_384;
    private const int IndexAfter = 8_192;
    private const long SnapshotBytes = 256L << 20;
    private const long StopSnapshotBytes = 16L << 20;
    private const long SnapshotMicroseconds = 300_000_000;

    /// <summary>How long one turn a second may delete what has expired: enough to keep up with any commits, too short to be felt by them.</summary>
    private static readonly TimeSpan PrunePatience = TimeSpan.FromMilliseconds(50);

    private readonly TaskStore _store;
    private readonly ServiceLimits _limits;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Turn _turn;
    private readonly ConcurrentQueue<EngineEvent> _inbox = new();
    private readonly ConcurrentBag<TurnEffects> _effects = [];

    /// <summary>Bodies of the commit that failed.</summary>
    private readonly ConcurrentQueue<(SegmentReference Body, int Bytes)> _doubtful = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private readonly ITimer _timer;
    private int _running;
    private volatile bool _stopping;
    private volatile bool _handed;
    private volatile string? _full;
    private volatile string? _low;
    private int _generation;
    private int _snapshotting;
    private long _snapshotBytes;
    private long _snapshotTime;
    private long _turnsAtTick;
    private long _turns;
    private long _prunedAt;
    private long _fullSince;
    private long _safeChunk;
    private long _spare;
    private bool _indexAll;
    private bool _snapshotNow;
    private bool _tick;

    public TaskEngine(TaskStore store, ServiceLimits limits, TimeProvider time, ILogger<TaskEngine> log, TaskTraces? traces = null)
    {
        _store = store;
        _limits = limits;
        _time = time;
        _log = log;
        _turn = new Turn(store) { State = Load(), Traces = traces };
        _snapshotTime = Now;
        CheckSpace();
        _thread = new Thread(RunTurns) { IsBackground = true, Name = "task engine" };
        _thread.Start();
        LogStore(store.JournalMode, store.Synchronous, store.LastChunk, _turn.State.Unfinished);
        _inbox.Enqueue(new StartEvent());
        _timer = TimerThread.For(time, "engine seconds").CreateTimer(static self => ((TaskEngine)self!).Tick(), this, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    public TaskStore Store => _store;

    /// <summary>Unix microseconds.</summary>
    public long Now => (_time.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks) / 10;

    /// <summary>Rises when the state was read anew after a failed commit: what was looked up before is void.</summary>
    public int Generation => Volatile.Read(ref _generation);

    /// <summary>What has happened to tasks since the start.</summary>
    public TaskTally Tally => _turn.Tally;

    /// <summary>Commits since start.</summary>
    public long Commits { get; private set; }

    /// <summary>Why submissions are refused for want of disk space; null: they are not.</summary>
    public string? StorageProblem => _full ?? _low;

    /// <summary>Accepts a batch; the answer comes when it is durable. Its large bodies are durable already.</summary>
    /// <param name="record">The batch.</param>
    /// <param name="endpointId">For messages.</param>
    /// <param name="functionId">For messages.</param>
    /// <param name="inline">Nothing else of this caller waits: the turn may run on this thread.</param>
    /// <param name="brief">What the caller does with the answer does not block and is little: it may run on the engine's thread.</param>
    public ValueTask<SubmitOutcome> SubmitAsync(SubmissionRecord record, string endpointId, string functionId, bool inline, bool brief = false)
    {
        var searched = _store.Index.Newest;
        if (_store.Index.Find(record.Key) is { } finished)
            return new ValueTask<SubmitOutcome>(SubmitEvent.Known(record.Key, record.Content == finished.Content));
        var submit = new SubmitEvent(record, endpointId, functionId, searched, _limits, StorageProblem, brief);
        Post(submit, inline);
        return submit.Task;
    }

    /// <summary>What <see cref="SubmitAsync"/> would answer at this moment; sets space aside for large bodies when it would accept them.</summary>
    internal async ValueTask<SubmitOutcome> ForeseeAsync(SubmissionRecord record, string endpointId, string functionId, long largeBytes)
    {
        if (await FindAsync(record.Key) is { } known)
            return SubmitEvent.Known(record.Key, record.Content == known.Content);
        var foreseen = await LookAsync(state => SubmitEvent.Judge(state, record, endpointId, functionId, _limits, StorageProblem));
        if (foreseen != SubmitOutcome.Accepted || Interlocked.Add(ref _spare, -largeBytes) >= 0)
            return foreseen;
        Interlocked.Add(ref _spare, largeBytes);
        return SubmitOutcome.Refused(
            Grpc.Core.StatusCode.ResourceExhausted,
            $"batch {record.Key.Id} is refused: its {largeBytes} bytes of large arguments would take up what the data directory {_store.Directory} keeps free for results of accepted tasks. Free some space there; the service goes on by itself.");
    }

    /// <summary>A batch that was accepted before; null: there is none of that key.</summary>
    internal async ValueTask<KnownBatch?> FindAsync(BatchKey key) =>
        await LookAsync(state => state.TryGet(key, out var batch) ? new KnownBatch(batch.Function, batch.Endpoint.Number, batch.Content) : null)
            // After the look: what left memory before it is in the index by now.
            ?? (_store.Index.Find(key) is { } finished ? new KnownBatch(finished.Function, finished.Endpoint, finished.Content) : null);

    /// <summary>Opens a link: epoch raised and durable, the older link superseded. False: the endpoint is deleted.</summary>
    /// <exception cref="StorageFullException">The epoch could not be made durable.</exception>
    public ValueTask<bool> ConnectAsync(LinkSession link, int endpoint, string by)
    {
        var connect = new ConnectEvent(link, endpoint, by);
        Post(connect, inline: false);
        return connect.Task;
    }

    /// <summary>Works in what the endpoint holds; after it the link gets tasks.</summary>
    public ValueTask<bool> ReconcileAsync(LinkSession link, IReadOnlyList<InventoryEntry> held)
    {
        var reconcile = new ReconcileEvent(link, held);
        Post(reconcile, inline: false);
        return reconcile.Task;
    }

    public void Disconnect(LinkSession link) => Post(new DisconnectEvent(link), inline: false);

    public void Credit(LinkSession link, ulong tasks, ulong bytes, bool inline) => Post(new CreditEvent(link, tasks, bytes), inline);

    /// <summary>The endpoint stops: nothing more is sent over the link.</summary>
    public void Drain(LinkSession link) => Post(new DrainEvent(link), inline: false);

    /// <summary>Puts sent tasks that have not started back in the queue.</summary>
    public void TakeBack(LinkSession link, IReadOnlyList<(TaskId Task, ushort Attempt)> tasks) => Post(new TakeBackEvent(link, tasks), inline: false);

    /// <summary>Commits results and acknowledges them on the link; <paramref name="done"/> gives the array back.</summary>
    internal void Results(ResultsEvent results, bool inline) => Post(results, inline);

    /// <summary>Says how many of these tasks were alive. Unknown ids do not count.</summary>
    public ValueTask<long> CancelAsync(int owner, IReadOnlyList<TaskId> tasks, string? group)
    {
        var cancel = new CancelEvent(owner, tasks, group);
        Post(cancel, inline: true);
        return cancel.Task;
    }

    /// <summary>Sets and removes labels of a group; the answer comes when it is durable.</summary>
    /// <exception cref="StorageFullException">It is not.</exception>
    internal ValueTask<SubmitOutcome> LabelAsync(int owner, string group, IEnumerable<KeyValuePair<string, string>> set, IReadOnlyCollection<string> remove)
    {
        var label = new LabelEvent(owner, group, set, remove);
        Post(label, inline: true);
        return label.Task;
    }

    public ValueTask<bool> EndpointDeletedAsync(int number, string name)
    {
        var deleted = new EndpointDeletedEvent(number, name);
        Post(deleted, inline: false);
        return deleted.Task;
    }

    /// <summary>
    /// Gives the space of a body that nothing durable refers to back. Not while a commit has failed: what it wrote may count after all, should this process end before
    /// another commit has taken its place in the file.
    /// </summary>
    internal void GiveBack(SegmentReference body, int bytes)
    {
        if (_full is null)
            _store.Segments.GiveBack(body, bytes);
        else
            _doubtful.Enqueue((body, bytes));
    }

    internal void Unsendable(Assignment assignment, string reason) => Post(new UnsendableEvent(assignment, reason), inline: false);

    /// <summary>Looks at the state between two events; <paramref name="look"/> must not keep what it sees, nor take long. The answer comes when what it saw is durable; the same turn may still hand tasks out after it.</summary>
    public ValueTask<T> LookAsync<T>(Func<LiveState, T> look)
    {
        var wanted = new LookEvent<T>(look);
        Post(wanted, inline: true);
        return wanted.Task;
    }

    /// <summary>Stops taking events; what was accepted is durable.</summary>
    public void Dispose()
    {
        if (_stopping)
            return;
        _timer.Dispose();
        _stopping = true;
        _wake.Set();
        _thread.Join();
        SpinWait.SpinUntil(() => Volatile.Read(ref _snapshotting) == 0, TimeSpan.FromSeconds(10));
        // A long log would have to be read at the next start; what is live is written in less time.
        if (_store.AppendedBytes - _snapshotBytes > StopSnapshotBytes)
        {
            Snapshot();
            SpinWait.SpinUntil(() => Volatile.Read(ref _snapshotting) == 0, TimeSpan.FromSeconds(10));
        }

        _wake.Dispose();
    }

    private void Post(EngineEvent happened, bool inline)
    {
        // Whoever still asks while the process ends has lost its connection already.
        if (_stopping)
            return;
        _inbox.Enqueue(happened);
        Schedule(inline);
    }

    private void Schedule(bool inline)
    {
        if (Interlocked.CompareExchange(ref _running, 1, 0) != 0)
            return;
        if (inline && !_stopping)
            RunTurn(inline: true);
        else
            HandOver();
    }

    private void HandOver()
    {
        _handed = true;
        _wake.Set();
    }

    private void RunTurns()
    {
        while (true)
        {
            _wake.WaitOne();
            if (_stopping)
            {
                while (!_handed && Interlocked.CompareExchange(ref _running, 1, 0) != 0)
                    Thread.Sleep(1);
                while (!_inbox.IsEmpty)
                    RunTurn(inline: false);
                return;
            }

            if (!_handed)
                continue;
            _handed = false;
            do
            {
                do
                    RunTurn(inline: false);
                while (!_inbox.IsEmpty);
                Volatile.Write(ref _running, 0);
            }
            while (!_inbox.IsEmpty && Interlocked.CompareExchange(ref _running, 1, 0) == 0);
        }
    }

    private void Tick()
    {
        Volatile.Write(ref _tick, true);
        Post(new TickEvent(), inline: false);
    }

    /// <summary>One turn. Its caller holds <c>_running</c>, which an inline turn gives up before it lets others know.</summary>
    private void RunTurn(bool inline)
    {
        if (!_effects.TryTake(out var effects))
            effects = new TurnEffects();
        try
        {
            Decide(effects);
        }
        catch (Exception problem)
        {
            // The state may be half changed: nothing but the log can be trusted now, and a restart reads exactly that.
            LogBroken(problem);
            Environment.FailFast("the task engine broke", problem);
        }

        if (inline)
        {
            Volatile.Write(ref _running, 0);
            if (!_inbox.IsEmpty)
                Schedule(inline: false);
        }

        effects.Release(inline);
        _effects.Add(effects);
    }

    private void Decide(TurnEffects effects)
    {
        _turns++;
        _turn.Begin(Now);
        if (_full is { } full && !TryLeaveFull())
        {
            FailAll(full);
            return;
        }

        if (_turn.State.Finished.Count >= IndexAfter || (_indexAll && _turn.State.Finished.Count > 0))
            _turn.IndexFinished(Math.Min(_turn.State.Finished.Count, 4 * IndexAfter));
        _indexAll = false;
        var taken = 0;
        while (taken < TurnEvents && !_turn.IsFull && _inbox.TryDequeue(out var happened))
        {
            happened.Apply(_turn);
            if (happened.GoesOn)
                _inbox.Enqueue(happened);
            else
                effects.Events.Add(happened);
            taken++;
        }

        try
        {
            _turn.Dispatch();
            foreach (var endpoint in _turn.LeftReady)
                _inbox.Enqueue(new ReadyEvent(endpoint));
            if (_turn.State.Dependents.HasBroken)
                _inbox.Enqueue(new TickEvent());
            var (began, before) = (Stopwatch.GetTimestamp(), _store.AppendedBytes);
            var committed = _turn.Commit();
            var now = committed ? Now : _turn.Now;
            if (committed)
            {
                Tally.OnCommit?.Invoke(Stopwatch.GetElapsedTime(began).TotalSeconds, _store.AppendedBytes - before);
                Commits++;
                _store.Committed(now);
            }

            _turn.Publish(now, effects);
        }
        catch (StorageFullException problem)
        {
            Refuse(problem, effects);
            return;
        }

        if (Volatile.Read(ref _tick))
        {
            Volatile.Write(ref _tick, false);
            KeepHouse();
        }
        else
        {
            _store.Maintain(quiet: false);
        }

        if (_snapshotNow || _store.AppendedBytes - _snapshotBytes > SnapshotBytes)
            Snapshot();
    }

    private void KeepHouse()
    {
        _store.Maintain(quiet: _turns - _turnsAtTick < 10);
        _turnsAtTick = _turns;
        try
        {
            CheckSpace();
            if (_store.AppendedBytes > _snapshotBytes && Now - _snapshotTime > SnapshotMicroseconds)
                Snapshot();
            Prune();
        }
        catch (Exception problem) when (problem is SqliteException or IOException or UnauthorizedAccessException)
        {
            // Nothing that was accepted depends on it: what has expired stays a while longer.
            LogHouse(_store.Directory, problem.Message);
        }
    }

    /// <summary>The live state as a snapshot has it.</summary>
    internal ValueTask<byte[]> PictureAsync() => LookAsync(static state => SnapshotCodec.Write(state).Written.ToArray());

    /// <summary>Moves every finished batch to the index now rather than when enough have come together.</summary>
    internal async ValueTask IndexAllAsync()
    {
        await LookAsync(_ => _indexAll = true);
        await LookAsync(static _ => true);
    }

    /// <summary>Takes a snapshot now.</summary>
    internal async ValueTask SnapshotAsync()
    {
        await LookAsync(_ =>
        {
            _snapshotNow = true;
            return true;
        });
        await LookAsync(static _ => true);
        while (Volatile.Read(ref _snapshotting) != 0)
            await Task.Delay(1);
    }

    private LiveState Load()
    {
        (var state, _safeChunk) = StateLoading.Load(_store);
        return state;
    }

    /// <summary>The chunk is not durable: those who wait are refused, and the state becomes again what the log says.</summary>
    private void Refuse(StorageFullException problem, TurnEffects effects)
    {
        _full = $"the data directory {_store.Directory} takes no more: {problem.Message}. Free some space there; the service goes on by itself.";
        _fullSince = Now;
        LogFull(problem.Message, _store.Directory);
        effects.Groups.Clear();
        effects.Links.Clear();
        var old = _turn.State;
        _turn.State = Load();
        foreach (var happened in effects.Events)
        {
            if (happened.TryAnswer(_turn))
                happened.Complete(inline: false);
            else
                happened.Fail(_full);
        }

        effects.Events.Clear();
        Interlocked.Increment(ref _generation);
        // Endpoints keep their results, connect again, and say what they hold.
        foreach (var endpoint in old.Endpoints.Values)
            endpoint.Link?.End(_full);
        foreach (var group in old.Groups.Values)
            group.Announce(inline: false);
        _inbox.Enqueue(new StartEvent());
    }

    private void FailAll(string reason)
    {
        while (_inbox.TryDequeue(out var happened))
        {
            if (happened.TryAnswer(_turn))
                happened.Complete(inline: false);
            else
                happened.Fail(reason);
        }
    }

    /// <summary>Once a second an empty chunk tries whether there is room again.</summary>
    private bool TryLeaveFull()
    {
        if (Now - _fullSince < 1_000_000)
            return false;
        _fullSince = Now;
        try
        {
            CheckSpace();
            if (_low is not null)
                return false;
            _store.Append([], [], 0, Now, _turn.State.NextBatch, null);
            _store.Committed(Now);
        }
        catch (Exception problem) when (problem is StorageFullException or IOException)
        {
            return false;
        }

        _full = null;
        while (_doubtful.TryDequeue(out var doubtful))
            _store.Segments.GiveBack(doubtful.Body, doubtful.Bytes);
        LogRoom(_store.Directory);
        _turn.Begin(Now);
        _inbox.Enqueue(new StartEvent());
        return true;
    }

    /// <summary>Submissions are refused while there is still room for the results of what was accepted.</summary>
    private void CheckSpace()
    {
        var drive = new DriveInfo(_store.Directory);
        var free = drive.AvailableFreeSpace;
        var reserve = Math.Clamp(drive.TotalSize / 32, 1 << 20, 256 << 20);
        Volatile.Write(ref _spare, free - reserve);
        if (_low is null && free < reserve)
        {
            _low = $"the data directory {_store.Directory} has {free >> 10} KiB free, and {reserve >> 10} KiB are kept for results of accepted tasks. Free some space there; the service goes on by itself.";
            LogFull($"{free >> 10} KiB free, reserve {reserve >> 10} KiB", _store.Directory);
        }
        else if (_low is not null && free > reserve + (reserve / 4))
        {
            _low = null;
            LogRoom(_store.Directory);
        }
    }

    private void Snapshot()
    {
        if (Interlocked.CompareExchange(ref _snapshotting, 1, 0) != 0)
            return;
        _snapshotNow = false;
        var state = _turn.State;
        var chunk = _store.LastChunk;
        RaiseFloors(state, chunk + 1);
        var snapshot = SnapshotCodec.Write(state);
        _snapshotBytes = _store.AppendedBytes;
        _snapshotTime = Now;
        ThreadPool.UnsafeQueueUserWorkItem(
            _ =>
            {
                try
                {
                    _store.Snapshots.Write(chunk, snapshot.Written);
                    Volatile.Write(ref _safeChunk, chunk);
                }
                catch (IOException problem)
                {
                    LogSnapshot(chunk, problem.Message);
                }
                finally
                {
                    Volatile.Write(ref _snapshotting, 0);
                }
            },
            null);
    }

    /// <summary>Positions of results whose batches are all indexed need not be kept in memory.</summary>
    private static void RaiseFloors(LiveState state, long next)
    {
        var floors = new Dictionary<GroupState, long>(state.Groups.Count);
        foreach (var batch in state.Batches.Values)
        {
            if (batch.ResultChunks.Count > 0 && (!floors.TryGetValue(batch.Group, out var floor) || floor > batch.ResultChunks[0]))
                floors[batch.Group] = batch.ResultChunks[0];
        }

        foreach (var group in state.Groups.Values)
            group.RaiseFloor(floors.GetValueOrDefault(group, next));
    }

    private void Prune()
    {
        var retention = (long)_limits.ResultRetention.TotalMicroseconds;
        if (Now - _prunedAt < Math.Min(600_000_000, retention / 4))
            return;
        _prunedAt = Now;
        var cutoff = Now - retention;
        if (!_store.HasBefore(cutoff))
            return;
        var needed = new HashSet<long>();
        foreach (var batch in _turn.State.Batches.Values)
        {
            if (!batch.Finished)
                needed.Add(batch.SubmitChunk);
        }

        // Replay begins behind the last snapshot, so no chunk behind it may go.
        if (_store.Prune(cutoff, needed, Volatile.Read(ref _safeChunk), PrunePatience, (owner, name) => _turn.State.Groups.TryGetValue((owner, name), out var group) && group.Batches > 0))
            _prunedAt = 0;
        _turn.Labels.Forget();
        _indexAll = true;
        if (_store.LastChunk > _safeChunk)
            Snapshot();
        var files = new HashSet<int>();
        foreach (var batch in _turn.State.Batches.Values)
        {
            if (!batch.Finished && batch.LargeBytes is not null)
                AddFiles(batch, files);
        }

        _store.Segments.Prune(DateTime.UnixEpoch.AddMicroseconds(cutoff).AddHours(-1), files);
    }

    private void AddFiles(Batch batch, HashSet<int> files)
    {
        var record = batch.Record ?? _store.ReadSubmission(batch.SubmitChunk, batch.SubmitOffset, batch.SubmitBytes);
        foreach (var large in record.Large ?? [])
            files.Add(large.File);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "tasks.db open: journal_mode={JournalMode} synchronous={Synchronous} (2 is FULL), {Chunks} chunks, {Unfinished} unfinished tasks")]
    private partial void LogStore(string journalMode, string synchronous, long chunks, long unfinished);

    [LoggerMessage(Level = LogLevel.Critical, Message = "the task engine broke; the service ends, and a restart begins with what is durable")]
    private partial void LogBroken(Exception problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "no room in {Directory}: {Problem}; submissions are refused until there is")]
    private partial void LogFull(string problem, string directory);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Directory} could not be tidied up, the next time is in some minutes: {Problem}")]
    private partial void LogHouse(string directory, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "there is room in {Directory} again")]
    private partial void LogRoom(string directory);

    [LoggerMessage(Level = LogLevel.Warning, Message = "snapshot behind chunk {Chunk} could not be made durable: {Problem}; the log is kept from the one before it")]
    private partial void LogSnapshot(long chunk, string problem);
}
