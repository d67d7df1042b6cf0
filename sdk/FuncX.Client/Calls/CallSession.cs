using System.Collections.Concurrent;
using System.Text.Json.Serialization.Metadata;
using FuncX.Client.Connection;
using FuncX.Client.Json;
using FuncX.Client.Results;
using FuncX.Client.Submission;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client.Calls;

/// <summary>All single calls of one client: one group, one stream of submissions, one stream of results. Safe for any number of threads.</summary>
internal sealed class CallSession : IResultReceiver, IAsyncDisposable
{
    // Beyond this many kinds of calls (a deadline of its own for each, say) lanes are not kept: such calls do not share messages anyway.
    private const int LanesKept = 1_024;

    private readonly Lock _gate = new();
    private readonly Dictionary<BatchId, IPendingCalls> _pending = [];
    private readonly ConcurrentDictionary<(FunctionId, EndpointId, CallSettings, object), ICallLane> _lanes = new();
    private readonly ConcurrentDictionary<Type, object> _encoders = new();
    private readonly ConcurrentDictionary<Type, object> _decoders = new();
    private readonly ResultSubscription _results;
    private readonly SubmitLink _link;

    public CallSession(ServiceConnection service, FuncXClientOptions options, TimeProvider time, string group)
    {
        Options = options;
        Time = time;
        Group = group;
        _link = new SubmitLink(service, service.Tasks, options, time);
        _results = new ResultSubscription(service, service.Tasks, group, this);
    }

    public FuncXClientOptions Options { get; }

    public TimeProvider Time { get; }

    public string Group { get; }

    public bool IsWaiting
    {
        get
        {
            lock (_gate)
                return _pending.Count > 0;
        }
    }

    public async ValueTask<TaskHandle<TResult>> SubmitAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, TArg argument, CallSettings settings, JsonTypeInfo<TArg>? argumentType, JsonTypeInfo<TResult>? resultType, CancellationToken cancellation)
    {
        // Back-pressure for callers that never look at their handles: the link holds a bounded number of bytes.
        await _link.Unacknowledged.EnterAsync(0, cancellation);
        return Lane(function, endpoint, settings, resultType).Add(argument, Encoder(argumentType));
    }

    /// <summary>Sends calls in as many batches as they need and returns when the service has all of them.</summary>
    public async Task<TaskHandle<TResult>[]> SubmitManyAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, IEnumerable<TArg> arguments, CallSettings settings, JsonTypeInfo<TArg>? argumentType, JsonTypeInfo<TResult>? resultType, CancellationToken cancellation)
    {
        var target = new SubmitTarget(function, endpoint, Group, settings.ToContract()) { Labels = settings.Labels };
        var encoder = Encoder(argumentType);
        var decoder = Decoder(resultType);
        var handles = new List<TaskHandle<TResult>>(arguments.TryGetNonEnumeratedCount(out var count) ? count : 16);
        var accepted = new List<Task>();
        CallBatch<TResult>? batch = null;
        foreach (var argument in arguments)
        {
            batch ??= new CallBatch<TResult>(this, lane: null, target, decoder, Math.Clamp(count - handles.Count, 16, Options.BatchSize), bufferBytes: 4_096);
            handles.Add(new TaskHandle<TResult>(batch, batch.Append(argument, encoder)));
            if (batch.Count < Options.BatchSize && batch.Bytes < Options.BatchBytes)
                continue;
            await SendWhenRoomAsync(batch, cancellation);
            accepted.Add(batch.Accepted);
            batch = null;
        }

        if (batch is not null)
        {
            await SendWhenRoomAsync(batch, cancellation);
            accepted.Add(batch.Accepted);
        }

        await Task.WhenAll(accepted).WaitAsync(cancellation);
        return [.. handles];
    }

    /// <summary>Sends a batch of single calls.</summary>
    public void Send<T>(CallBatch<T> batch)
    {
        var entered = _link.Unacknowledged.EnterAsync(SubmitLink.Weight(batch), CancellationToken.None);
        if (entered.IsCompletedSuccessfully)
            SendNow(batch);
        else
            _ = entered.AsTask().ContinueWith((_, state) => SendNow((CallBatch<T>)state!), batch, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    /// <summary>A refused batch has no outcomes.</summary>
    public void Forget(IPendingCalls batch)
    {
        lock (_gate)
            _pending.Remove(batch.Id);
    }

    public void Take(ResultChunk chunk)
    {
        var results = new ResultChunkReader(chunk);
        while (results.NextBatch())
        {
            IPendingCalls? batch;
            lock (_gate)
                _pending.TryGetValue(results.Batch, out batch);
            if (batch is not null && batch.Take(ref results))
                Forget(batch);
        }
    }

    public void Fail(FuncXException problem)
    {
        List<IPendingCalls> failed;
        lock (_gate)
        {
            failed = [.. _pending.Values];
            _pending.Clear();
        }

        foreach (var batch in failed)
            batch.Fail(problem);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _link.DisposeAsync();
        }
        finally
        {
            try
            {
                await _results.DisposeAsync();
            }
            finally
            {
                Fail(new FuncXException(FuncXErrorKind.Failed, $"The client was disposed before the outcome came; the task goes on in group {Group}."));
            }
        }
    }

    private async ValueTask SendWhenRoomAsync<T>(CallBatch<T> batch, CancellationToken cancellation)
    {
        await _link.Unacknowledged.EnterAsync(SubmitLink.Weight(batch), cancellation);
        SendNow(batch);
    }

    private void SendNow<T>(CallBatch<T> batch)
    {
        batch.Seal(Time);
        lock (_gate)
            _pending.Add(batch.Id, batch);
        _results.Await();
        _link.Send(batch);
    }

    private CallLane<TResult> Lane<TResult>(FunctionId function, EndpointId endpoint, CallSettings settings, JsonTypeInfo<TResult>? resultType)
    {
        var key = (function, endpoint, settings, (object?)resultType ?? typeof(TResult));
        if (_lanes.TryGetValue(key, out var known))
            return (CallLane<TResult>)known;
        var lane = new CallLane<TResult>(this, new SubmitTarget(function, endpoint, Group, settings.ToContract()) { Labels = settings.Labels }, Decoder(resultType));
        // What waits for others is hardly ever like the call before it.
        return settings.WaitsForOthers ? lane : _lanes.Count < LanesKept ? (CallLane<TResult>)_lanes.GetOrAdd(key, lane) : lane;
    }

    public ArgumentEncoder<TArg> Encoder<TArg>(JsonTypeInfo<TArg>? type) => type is not null
        ? new ArgumentEncoder<TArg>(type, Options.Json)
        : (ArgumentEncoder<TArg>)_encoders.GetOrAdd(typeof(TArg), static (_, options) => new ArgumentEncoder<TArg>(null, options.Json), Options);

    public ResultDecoder<TResult> Decoder<TResult>(JsonTypeInfo<TResult>? type) => type is not null
        ? new ResultDecoder<TResult>(type, Options.Json)
        : (ResultDecoder<TResult>)_decoders.GetOrAdd(typeof(TResult), static (_, options) => new ResultDecoder<TResult>(null, options.Json), Options);
}
