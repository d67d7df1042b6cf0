using FuncX.Client.Json;
using FuncX.Client.Results;
using FuncX.Client.Submission;
using FuncX.Wire;

namespace FuncX.Client.Calls;

/// <summary>
/// The calls of one batch and their outcomes. Only calls that somebody awaits before they end cost an object each: handles are kept by the hundred thousand, and
/// everything they hold is looked at in every garbage collection.
/// </summary>
internal sealed class CallBatch<T> : OutgoingBatch, IPendingCalls
{
    private readonly Lock _gate = new();
    private readonly CallSession _session;
    private readonly ResultDecoder<T> _decoder;
    private readonly ICallLane? _lane;
    private TaskCompletionSource? _accepted;
    private FuncXException? _refusal;
    private bool _isAnswered;
    private Slot[] _slots;
    private FuncXException?[]? _failures;
    private TaskCompletionSource<T>?[]? _awaited;
    private int _missing;

    public CallBatch(CallSession session, ICallLane? lane, SubmitTarget target, ResultDecoder<T> decoder, int capacity, int bufferBytes)
        : base(target, session.Time, bufferBytes)
    {
        _session = session;
        _lane = lane;
        _decoder = decoder;
        _slots = new Slot[capacity];
    }

    /// <summary>Ends when the service has the batch, or fails with why it does not.</summary>
    public Task Accepted
    {
        get
        {
            lock (_gate)
            {
                if (_isAnswered)
                    return _refusal is null ? Task.CompletedTask : Refused(_refusal);
                return (_accepted ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    /// <summary>Adds one call and gives its index. Called by one thread at a time, before the batch is sealed.</summary>
    public int Append<TArg>(TArg argument, ArgumentEncoder<TArg> encoder)
    {
        Add(argument, encoder);
        lock (_gate)
        {
            if (Count > _slots.Length)
            {
                Array.Resize(ref _slots, _slots.Length * 4);
                if (_awaited is not null)
                    Array.Resize(ref _awaited, _slots.Length);
            }

            _missing++;
            return Count - 1;
        }
    }

    public bool IsCompleted(int index)
    {
        lock (_gate)
            return _slots[index].Ended;
    }

    public Task<T> Outcome(int index)
    {
        lock (_gate)
        {
            if (!_slots[index].Ended)
            {
                _awaited ??= new TaskCompletionSource<T>[_slots.Length];
                return (_awaited[index] ??= new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            return _failures?[index] is { } failure ? Task.FromException<T>(failure) : Task.FromResult(_slots[index].Value);
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
                if (index >= Count || _slots[index].Ended)
                    continue;
                var failure = Read(in results, out _slots[index].Value);
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
                if (_slots[index].Ended)
                    continue;
                awaited = End(index, problem);
            }

            Tell(awaited, index);
        }
    }

    protected override void OnAccepted()
    {
        Answer(null)?.SetResult();
        _lane?.OnAnswered();
    }

    protected override void OnRefused(FuncXException problem)
    {
        _session.Forget(this);
        if (Answer(problem) is { } accepted)
        {
            accepted.SetException(problem);
            Observe(accepted.Task);
        }

        Fail(problem);
        _lane?.OnAnswered();
    }

    private static Task Refused(FuncXException problem)
    {
        var refused = Task.FromException(problem);
        Observe(refused);
        return refused;
    }

    // Nobody may look at it: every handle carries the failure too. Reading it here says it is observed.
    private static void Observe(Task refused) => _ = refused.Exception;

    private TaskCompletionSource? Answer(FuncXException? refusal)
    {
        lock (_gate)
        {
            _isAnswered = true;
            _refusal = refusal;
            var accepted = _accepted;
            _accepted = null;
            return accepted;
        }
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
            (_failures ??= new FuncXException[_slots.Length])[index] = failure;
        _slots[index].Ended = true;
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
            awaited.SetResult(_slots[index].Value);
    }

    private struct Slot
    {
        public T Value;
        public bool Ended;
    }
}
