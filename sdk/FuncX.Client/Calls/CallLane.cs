using FuncX.Client.Json;
using FuncX.Client.Submission;

namespace FuncX.Client.Calls;

/// <summary>
/// Single calls of one function to one endpoint: a call goes at once, in a message of its own, when none is unanswered; calls that come while one is wait for its
/// answer and then go together. So one caller has no delay, and a thousand share commits.
/// </summary>
internal sealed class CallLane<T> : ICallLane
{
    private const int FirstBufferBytes = 256;

    private readonly Lock _gate = new();
    private readonly CallSession _session;
    private readonly SubmitTarget _target;
    private readonly ResultDecoder<T> _decoder;
    private CallBatch<T>? _forming;
    private int _unanswered;

    public CallLane(CallSession session, SubmitTarget target, ResultDecoder<T> decoder)
    {
        _session = session;
        _target = target;
        _decoder = decoder;
    }

    public TaskHandle<T> Add<TArg>(TArg argument, ArgumentEncoder<TArg> encoder)
    {
        CallBatch<T>? ready = null;
        TaskHandle<T> handle;
        lock (_gate)
        {
            var batch = _forming ?? new CallBatch<T>(_session, this, _target, _decoder, capacity: 1, FirstBufferBytes);
            handle = new TaskHandle<T>(batch, batch.Append(argument, encoder));
            _forming = batch;
            if (_unanswered == 0 || batch.Count >= _session.Options.BatchSize || batch.Bytes >= _session.Options.BatchBytes)
                ready = TakeForming();
        }

        if (ready is not null)
            _session.Send(ready);
        return handle;
    }

    public void OnAnswered()
    {
        CallBatch<T>? ready = null;
        lock (_gate)
        {
            _unanswered--;
            if (_forming is not null && _unanswered == 0)
                ready = TakeForming();
        }

        if (ready is not null)
            _session.Send(ready);
    }

    private CallBatch<T> TakeForming()
    {
        var batch = _forming!;
        _forming = null;
        _unanswered++;
        return batch;
    }
}
