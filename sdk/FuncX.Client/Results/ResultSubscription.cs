using System.Threading.Channels;
using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using Grpc.Core;

namespace FuncX.Client.Results;

/// <summary>
/// Reads the outcomes of one group for as long as somebody waits for any: one open stream, reconnected from the cursor of the last message taken, so that
/// nothing is missed, and nothing is taken twice.
/// </summary>
internal sealed class ResultSubscription : IAsyncDisposable
{
    private readonly ServiceConnection _service;
    private readonly Tasks.TasksClient _tasks;
    private readonly string _group;
    private readonly IResultReceiver _receiver;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _awaited = new(0, 1);
    private readonly Lock _gate = new();
    private readonly Lock _taking = new();

    /// <summary>Values that are fetched by themselves: what is small does not wait for them.</summary>
    private readonly Channel<LargeRow> _large = Channel.CreateUnbounded<LargeRow>(new UnboundedChannelOptions { SingleReader = true });
    private Task? _running;
    private Task? _fetching;
    private ulong _cursor;

    public ResultSubscription(ServiceConnection service, Tasks.TasksClient tasks, string group, IResultReceiver receiver)
    {
        _service = service;
        _tasks = tasks;
        _group = group;
        _receiver = receiver;
    }

    /// <summary>Says that there is something to wait for now; opens the stream when it is not open. Does nothing once it is being disposed of.</summary>
    public void Await()
    {
        lock (_gate)
        {
            if (_stop.IsCancellationRequested)
                return;
            _running ??= Task.Run(RunAsync);
            if (_awaited.CurrentCount == 0)
                _awaited.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task? running;
        lock (_gate)
            running = _running;
        if (running is not null)
            await running;
        _large.Writer.Complete();
        if (_fetching is not null)
            await _fetching;
        _stop.Dispose();
        _awaited.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                // Without anybody waiting a broken stream stays closed: an idle client does not hammer a service that is away.
                while (!_receiver.IsWaiting)
                    await _awaited.WaitAsync(_stop.Token);
                await _service.Retry.RunAsync(ReadAsync, _stop.Token);
            }
            catch (RpcException problem) when (!_stop.IsCancellationRequested)
            {
                _receiver.Fail(ServiceErrors.Translate(problem, _service.Address, $"Reading the results of group {_group}"));
            }
            catch (FuncXException problem)
            {
                _receiver.Fail(problem);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (ObjectDisposedException)
            {
                // A map may outlive its client, whose channel this one reads from.
                _receiver.Fail(new FuncXException(FuncXErrorKind.Failed, "The client was disposed before all results had come."));
            }
            catch (Exception problem)
            {
                _receiver.Fail(new FuncXException(FuncXErrorKind.Failed, $"Reading the results of group {_group} failed: {problem.Message}", problem));
            }
        }
    }

    /// <summary>One stream until it ends. An end after progress is no failure: the next attempt starts with fresh patience.</summary>
    private async ValueTask<bool> ReadAsync(Outage outage, CancellationToken cancellation)
    {
        using var call = _tasks.Results(new ResultsRequest { Group = _group, Cursor = _cursor, Follow = true }, _service.Options(cancellation));
        var progress = false;
        try
        {
            // They come before the first result: an open stream may be silent for as long as the tasks run.
            await call.ResponseHeadersAsync;
            _service.Retry.Reached();
            outage.Opened();
            while (await call.ResponseStream.MoveNext(cancellation))
            {
                var chunk = call.ResponseStream.Current;
                progress = true;
                if (chunk.Cursor <= _cursor)
                    continue;
                Take(chunk);
                _cursor = chunk.Cursor;
            }
        }
        catch (RpcException problem) when (progress ? ServiceErrors.MayBeStopping(problem) : !_receiver.IsWaiting && ServiceErrors.IsTransient(problem))
        {
            return true;
        }
        catch (RpcException problem) when (problem.StatusCode == StatusCode.NotFound && !progress && _receiver.IsWaiting)
        {
            // The stream is opened beside the first submission; a group exists once that one is committed.
            throw new RpcException(new Status(StatusCode.Unavailable, problem.Status.Detail), problem.Message);
        }
        catch (RpcException problem) when (outage.WasConnected && ServiceErrors.MayBeStopping(problem))
        {
            throw ServiceErrors.Lost(problem);
        }

        if (progress || !_receiver.IsWaiting)
            return true;
        throw new RpcException(new Status(StatusCode.Unavailable, "the service ended the stream of results"));
    }

    private void Take(ResultChunk chunk)
    {
        List<LargeRow> large = [];
        var rest = LargeRow.Split(chunk, large);
        lock (_taking)
            _receiver.Take(rest);
        foreach (var row in large)
            _large.Writer.TryWrite(row);
        if (large.Count > 0)
            _fetching ??= Task.Run(FetchAsync);
    }

    private async Task FetchAsync()
    {
        var values = new ValueReader(_service);
        await foreach (var row in _large.Reader.ReadAllAsync())
        {
            try
            {
                await values.ReadAsync(row.Task, row.MakeRoom(), _stop.Token);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem)
            {
                // The outcome of this task and of no other.
                row.Fail(problem.Message);
            }

            try
            {
                lock (_taking)
                    _receiver.Take(row.Chunk);
            }
            catch (FuncXException problem)
            {
                _receiver.Fail(problem);
            }
        }
    }
}
