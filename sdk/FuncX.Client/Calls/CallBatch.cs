using FuncX.Client.Json;
using FuncX.Client.Results;
using FuncX.Client.Submission;
using FuncX.Wire;

namespace FuncX.Client.Calls;

/// <summary>
/// The calls of one batch and their outcomes. Only calls that somebody awaits before they end cost an object each.
/// </summary>
internal sealed class CallBatch<T> : OutgoingBatch, IPendingCalls
{
    private readonly Lock _gate = new();
    private readonly CallSession _session;
    private readonly ResultDecoder<T> _decoder;
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ICallLane? _lane;
    private T[] _values;
    private bool[] _ended;
    private FuncXException?[]? _failures;
    private TaskCompletionSource<T>?[]? _awaited;
    private int _missing;

    public CallBatch(CallSession session, ICallLane? lane, SubmitTarget target, ResultDecoder<T> decoder, int capacity, int bufferBytes)
        : base(target, session.Time, bufferBytes)
    {
        _session = session;
        _lane = lane;
        _decoder = decoder;
        _values = new T[capacity];
        _ended = new bool[capacity];
    }

    public Task Accepted => _accepted.Task;

    /// <summary>Adds one call and gives its index. Called by one thread at a time, before the batch is sealed.</summary>
    public int Append<TArg>(TArg argument, ArgumentEncoder<TArg> encoder)
    {
        Add(argument, encoder);
        lock (_gate)
        {
            if (Count > _values.Length)
            {
                Array.Resize(ref _values, _values.Length * 4);
                Array.Resize(ref _ended, _values.Length);
                if (_awaited is not null)
                    Array.Resize(ref _awaited, _values.Length);
            }

            _missing++;
            return Count - 1;
        }
    }

    public bool IsCompleted(int index)
    {
        lock (_gate)
            return _ended[index];
    }

    public Task<T> Outcome(int index)
    {
        lock (_gate)
        {
            if (!_ended[index])
            {
                _awaited ??= new TaskCompletionSource<T>[_values.Length];
                return (_awaited[index] ??= new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            return _failures?[index] is { } failure ? Task.FromException<T>(failure) : Task.FromResult(_values[index]);
        }
    }

    public bool Take(ref ResultChunkReader results)
    {
        while (results.MoveNext())
        {
            var index = results.Index;
            TaskCompletionSource<T>? awaited;
            lock (_gate)
            {
                // A result that came before (the service restarted between sending and being asked again) changes nothing.
                if (index >= Count || _ended[index])
                    continue;
                var failure = Read(in results, out _values[index]);
                awaited = End((int)index, failure);
            }

            Tell(awaited, (int)index);
        }

        lock (_gate)
            return _missing == 0;
    }

    public void Fail(FuncXException problem)
    {
        for (var index = 0; index < Count; index++)
        {
            TaskCompletionSource<T>? awaited;
            lock (_gate)
            {
                if (_ended[index])
                    continue;
                awaited = End(index, problem);
            }

            Tell(awaited, index);
        }
    }

    protected override void OnAccepted()
    {
        _accepted.TrySetResult();
        _lane?.OnAnswered();
    }

    protected override void OnRefused(FuncXException problem)
    {
        _session.Forget(this);
        _accepted.TrySetException(problem);
        // Nobody may look at it: every handle carries the failure too. Reading it here says it is observed.
        _ = _accepted.Task.Exception;
        Fail(problem);
        _lane?.OnAnswered();
    }

    private FuncXException? Read(in ResultChunkReader results, out T value)
    {
        var task = new TaskId(Id, results.Index);
        value = default!;
        if (results.Outcome != TaskOutcome.Value)
            return RemoteTaskException.Read(task, results.Outcome, results.Value.Span, results.StandardOutput.Span, results.StandardError.Span, results.Code);
        try
        {
            value = _decoder.Decode(task, results.ContentType, results.Value);
            return null;
        }
        catch (FuncXException problem)
        {
            return problem;
        }
    }

    private TaskCompletionSource<T>? End(int index, FuncXException? failure)
    {
        if (failure is not null)
            (_failures ??= new FuncXException[_values.Length])[index] = failure;
        _ended[index] = true;
        _missing--;
        var awaited = _awaited?[index];
        if (awaited is not null)
            _awaited![index] = null;
        return awaited;
    }

    private void Tell(TaskCompletionSource<T>? awaited, int index)
    {
        if (awaited is null)
            return;
        if (_failures?[index] is { } failure)
            awaited.SetException(failure);
        else
            awaited.SetResult(_values[index]);
    }
}
