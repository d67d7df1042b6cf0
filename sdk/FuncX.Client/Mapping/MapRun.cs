using System.Runtime.ExceptionServices;
using FuncX.Client.Connection;
using FuncX.Client.Json;
using FuncX.Client.Results;
using FuncX.Client.Submission;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client.Mapping;

/// <summary>
/// One map: a pump that reads arguments as far as the window reaches, and results that its only consumer takes in runs. Three threads meet in it (pump, reader
/// of results, consumer); a lock is taken for each batch and message, never for each call.
/// </summary>
internal sealed class MapRun<TArg, TResult> : IMapOwner<TResult>, IResultReceiver, IAsyncDisposable
{
    // Some 150 KB of ids: below what a gRPC service takes in one message, and a short turn for its task store.
    private const int CancelledTogether = 5_000;
    private const int CancelsAtOnce = 8;

    private readonly Lock _gate = new();
    private readonly MapSetup<TArg, TResult> _setup;
    private readonly ServiceConnection _service;
    private readonly SubmitLink _link;
    private readonly ResultSubscription _results;
    private readonly Room _window;
    private readonly Room _memory;
    private readonly SemaphoreSlim _news = new(0, 1);
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenSource _stop;
    private readonly Dictionary<BatchId, MapBatch<TResult>> _unfinished = [];
    private readonly List<MapBatch<TResult>> _abandoned = [];
    private readonly Queue<MapBatch<TResult>> _toTake = new();
    private Task _pump = Task.CompletedTask;
    private TaskCompletionSource? _allAnswered;
    private ExceptionDispatchInfo? _failure;
    private int _unanswered;
    private long _sent;
    private long _taken;
    private bool _sentAll;
    private long _resultBytes;
    private long _resultCount;

    public MapRun(ServiceConnection service, FuncXClientOptions options, MapSetup<TArg, TResult> setup, CancellationToken cancellation)
    {
        _setup = setup;
        _service = service;
        _link = new SubmitLink(service, service.BulkTasks, options, setup.Time);
        _results = new ResultSubscription(service, service.BulkTasks, setup.Target.Group, this);
        _window = new Room(setup.Options.Window);
        _memory = new Room(setup.Options.WindowBytes);
        _cancellation = cancellation;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
    }

    /// <summary>The run that <see cref="NextAsync"/> found: results <see cref="From"/> to before <see cref="To"/> of it.</summary>
    public MapBatch<TResult> Current { get; private set; } = null!;

    public int From { get; private set; }

    public int To { get; private set; }

    public bool IsWaiting
    {
        get
        {
            lock (_gate)
                return _unfinished.Count > 0;
        }
    }

    public void Start(Func<MapRun<TArg, TResult>, CancellationToken, Task> read) => _pump = Task.Run(() => PumpAsync(read));

    /// <summary>Finds the next results to take; false when all were taken.</summary>
    public async ValueTask<bool> NextAsync()
    {
        while (true)
        {
            lock (_gate)
            {
                _failure?.Throw();
                if (TryTakeRun())
                    return true;
                if (_sentAll && _taken == _sent)
                    return false;
            }

            await _news.WaitAsync(_cancellation);
        }
    }

    /// <summary>The consumer is done with the run.</summary>
    public void Release()
    {
        var batch = Current;
        var count = To - From;
        bool gone;
        lock (_gate)
        {
            batch.Taken = To;
            _taken += count;
            gone = To == batch.Count;
        }

        _window.Leave(count);
        if (!gone)
            return;
        _memory.Leave(batch.Weight);
        batch.Release();
    }

    /// <summary>A new batch whose first call is the next of the map.</summary>
    public MapBatch<TResult> NewBatch() =>
        new(this, _setup.Target, _setup.Time, _setup.Options.Ordered, _sent, bufferBytes: 4_096);

    /// <summary>Sends a batch once the window has room for it.</summary>
    public async ValueTask SendAsync(MapBatch<TResult> batch, CancellationToken cancellation)
    {
        batch.Prepare();
        batch.Seal(_setup.Time);
        batch.Weight = batch.Bytes + (batch.Count * (64 + ExpectedResultBytes()));
        await _window.EnterAsync(batch.Count, cancellation);
        await _memory.EnterAsync(batch.Weight, cancellation);
        await _link.Unacknowledged.EnterAsync(SubmitLink.Weight(batch), cancellation);
        lock (_gate)
        {
            _sent += batch.Count;
            _unanswered++;
            _unfinished.Add(batch.Id, batch);
            if (_setup.Options.Ordered)
                _toTake.Enqueue(batch);
        }

        _results.Await();
        _link.Send(batch);
    }

    /// <summary>Completes when no sent batch waits for its answer.</summary>
    public Task AllAnsweredAsync()
    {
        lock (_gate)
            return _unanswered == 0 ? Task.CompletedTask : (_allAnswered ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    public void OnAccepted(MapBatch<TResult> batch)
    {
        TaskCompletionSource? allAnswered;
        lock (_gate)
        {
            batch.IsAccepted = true;
            if (--_unanswered > 0)
                return;
            (allAnswered, _allAnswered) = (_allAnswered, null);
        }

        allAnswered?.TrySetResult();
    }

    public void OnRefused(MapBatch<TResult> batch, FuncXException problem) =>
        Fail(new FuncXException(problem.Kind, problem.Message, problem.InnerException) { Calls = (batch.First, batch.Count) });

    public void Take(ResultChunk chunk)
    {
        var results = new ResultChunkReader(chunk);
        while (results.NextBatch())
        {
            MapBatch<TResult>? batch;
            lock (_gate)
                _unfinished.TryGetValue(results.Batch, out batch);
            // Another program may use the same group; and a complete batch may be told again.
            if (batch is not null)
                Take(batch, ref results);
        }
    }

    public void Fail(FuncXException problem) => Fail(ExceptionDispatchInfo.Capture(problem));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pump;
        try
        {
            await _link.DisposeAsync();
        }
        finally
        {
            await _results.DisposeAsync();
        }

        if (_setup.Options.CancelWhenAbandoned)
            await CancelRestAsync();
        _stop.Dispose();
    }

    private void Take(MapBatch<TResult> batch, ref ResultChunkReader results)
    {
        var (bytesBefore, countBefore) = (batch.ResultBytes, batch.Ended);
        var ready = batch.Take(ref results, _setup.Decoder);
        lock (_gate)
        {
            _resultBytes += batch.ResultBytes - bytesBefore;
            _resultCount += batch.Ended - countBefore;
            if (batch.IsComplete)
                _unfinished.Remove(batch.Id);
            if (ready == batch.Ready)
                return;
            batch.Ready = ready;
            if (!_setup.Options.Ordered && !batch.IsListed)
            {
                batch.IsListed = true;
                _toTake.Enqueue(batch);
            }

            if (_toTake.Peek() == batch)
                Announce();
        }
    }

    private bool TryTakeRun()
    {
        while (_toTake.TryPeek(out var batch))
        {
            if (batch.Taken == batch.Count)
            {
                _toTake.Dequeue();
                continue;
            }

            if (batch.Taken < batch.Ready)
            {
                (Current, From, To) = (batch, batch.Taken, batch.Ready);
                return true;
            }

            if (_setup.Options.Ordered)
                return false;
            _toTake.Dequeue();
            batch.IsListed = false;
        }

        return false;
    }

    private async Task PumpAsync(Func<MapRun<TArg, TResult>, CancellationToken, Task> read)
    {
        try
        {
            await read(this, _stop.Token);
            lock (_gate)
            {
                _sentAll = true;
                Announce();
            }
        }
        catch (Exception problem)
        {
            // The source's own exception reaches whoever consumes the results, as it is.
            Fail(ExceptionDispatchInfo.Capture(problem));
        }
    }

    private void Fail(ExceptionDispatchInfo problem)
    {
        TaskCompletionSource? allAnswered;
        lock (_gate)
        {
            _failure ??= problem;
            _abandoned.AddRange(_unfinished.Values);
            _unfinished.Clear();
            allAnswered = _allAnswered;
            Announce();
        }

        allAnswered?.TrySetResult();
        _stop.Cancel();
    }

    private void Announce()
    {
        if (_news.CurrentCount == 0)
            _news.Release();
    }

    private long ExpectedResultBytes()
    {
        lock (_gate)
            return _resultCount == 0 ? 0 : _resultBytes / _resultCount;
    }

    /// <summary>Cancels this map's own calls: others may use the same group.</summary>
    private async Task CancelRestAsync()
    {
        // The streams are closed: nobody adds to the batches any more.
        List<MapBatch<TResult>> batches = [.. _abandoned, .. _unfinished.Values];
        // The service refuses a request that names a task it does not know, and it may not have what it did not answer.
        var pieces = batches.Where(batch => batch.IsAccepted).SelectMany(batch => batch.Unfinished()).Chunk(CancelledTogether)
            .Concat(batches.Where(batch => !batch.IsAccepted).Select(batch => batch.Unfinished().ToArray()));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2), _setup.Time);
        try
        {
            await Parallel.ForEachAsync(pieces, new ParallelOptions { MaxDegreeOfParallelism = CancelsAtOnce, CancellationToken = patience.Token }, CancelAsync);
        }
        catch (OperationCanceledException)
        {
            // Best effort: whoever abandons a map because the service is away cannot reach it for this either.
        }
    }

    private async ValueTask CancelAsync(TaskId[] tasks, CancellationToken cancellation)
    {
        var request = new CancelRequest();
        foreach (var task in tasks)
            request.TaskIds.Add(task.ToString());
        try
        {
            await _service.CallAsync(options => _service.Tasks.CancelAsync(request, options), "Cancelling the rest of a map", cancellation);
        }
        catch (Exception problem) when (problem is FuncXException or ObjectDisposedException)
        {
            // It may be unknown, or the service full, or the client gone; the other pieces stand for themselves.
        }
    }
}
