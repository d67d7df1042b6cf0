using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Client.Submission;

/// <summary>
/// Brings batches to the service over one open stream. A batch is written at once by the thread that sends it when nobody is writing and few are on their way; else
/// by the one who is, or a moment later together with those that come in it.
/// When the stream breaks, everything unanswered is sent again in order under the same ids, which the service recognises.
/// </summary>
internal sealed class SubmitLink : IAsyncDisposable
{
    /// <summary>With so many unanswered batches more are about to come, and they are written together.</summary>
    private const int Many = 16;

    private readonly ServiceConnection _service;
    private readonly Tasks.TasksClient _tasks;
    private readonly bool _unary;
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<BatchId, OutgoingBatch> _unanswered = [];
    private readonly SemaphoreSlim _wanted = new(0, 1);
    private Queue<OutgoingBatch> _unsent = new();
    private Gathering _gathering = new();
    private AsyncDuplexStreamingCall<SubmitRequest, SubmitReply>? _call;
    private Task? _running;
    private bool _writing;
    private long _sequence;

    public SubmitLink(ServiceConnection service, Tasks.TasksClient tasks, FuncXClientOptions options, TimeProvider time)
    {
        _time = time;
        _patience = options.RetryFor;
        _service = service;
        _tasks = tasks;
        _unary = options.UnarySubmission;
        Unacknowledged = new Room(options.UnacknowledgedBytes);
    }

    /// <summary>Bytes of arguments on their way. A sender enters with <see cref="Weight"/> before <see cref="Send"/>; the link leaves with the answer.</summary>
    public Room Unacknowledged { get; }

    /// <summary>What a batch takes of <see cref="Unacknowledged"/>.</summary>
    public static long Weight(OutgoingBatch batch) => batch.Bytes + (8L * batch.Count) + 256;

    /// <summary>Sends a sealed batch. Its answer comes to the batch; once the link is being disposed of, that is a refusal at once.</summary>
    public void Send(OutgoingBatch batch)
    {
        if (!TrySend(batch))
            Refuse(batch, NotSent());
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task? running;
        lock (_gate)
            running = _running;
        if (running is not null)
            await running;
        FailAll(Disposed());
    }

    private bool TrySend(OutgoingBatch batch)
    {
        if (_stop.IsCancellationRequested)
            return false;
        if (_unary)
        {
            _ = SendAloneAsync(batch);
            return true;
        }

        AsyncDuplexStreamingCall<SubmitRequest, SubmitReply>? free = null;
        bool many;
        lock (_gate)
        {
            // Under the lock: what is queued before is found by the disposal.
            if (_stop.IsCancellationRequested)
                return false;
            batch.Sequence = _sequence++;
            _unsent.Enqueue(batch);
            if (_call is null)
            {
                Wake();
            }
            else if (!_writing)
            {
                _writing = true;
                free = _call;
            }

            many = _unanswered.Count >= Many;
        }

        if (free is null)
            return true;
        if (many)
            ThreadPool.UnsafeQueueUserWorkItem(new LateWriter(this, free), preferLocal: false);
        else
            _ = WriteAsync(free);
        return true;
    }

    private void Wake()
    {
        _running ??= Task.Run(RunAsync);
        if (_wanted.CurrentCount == 0)
            _wanted.Release();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _wanted.WaitAsync(_stop.Token);
                while (HasWork())
                    await _service.Retry.RunAsync(ConnectAsync, _stop.Token);
            }
            catch (RpcException problem) when (!_stop.IsCancellationRequested)
            {
                FailAll(ServiceErrors.Translate(problem, _service.Address, "Submitting calls"));
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem)
            {
                FailAll(Explain(problem, "Submitting calls"));
            }
        }
    }

    private bool HasWork()
    {
        lock (_gate)
            return _unsent.Count > 0 || _unanswered.Count > 0;
    }

    /// <summary>One stream until it ends. Replies that came over it are progress: the next attempt starts with fresh patience.</summary>
    private async ValueTask<bool> ConnectAsync(CancellationToken cancellation)
    {
        var gathering = new Gathering();
        using var call = gathering.Open(() => _tasks.SubmitStream(_service.Options(cancellation)));
        lock (_gate)
        {
            _call = call;
            _gathering = gathering;
            _writing = true;
        }

        var progress = false;
        try
        {
            _ = WriteAsync(call);
            while (await call.ResponseStream.MoveNext(cancellation))
            {
                progress = true;
                _service.Retry.Reached();
                Answer(call.ResponseStream.Current);
            }
        }
        catch (RpcException problem) when (progress && ServiceErrors.MayBeStopping(problem))
        {
            return true;
        }
        finally
        {
            Detach(call);
        }

        if (progress || !HasWork())
            return true;
        throw new RpcException(new Status(StatusCode.Unavailable, "the service ended the stream of submissions"));
    }

    /// <summary>Writes onto one stream until nothing is unsent: on the sender's own thread until the transport makes it wait.</summary>
    private async Task WriteAsync(AsyncDuplexStreamingCall<SubmitRequest, SubmitReply> call)
    {
        while (true)
        {
            SubmitRequest request;
            lock (_gate)
            {
                if (!ReferenceEquals(_call, call))
                    return;
                if (!_unsent.TryDequeue(out var batch))
                {
                    _writing = false;
                    return;
                }

                _unanswered.Add(batch.Id, batch);
                request = batch.Request;
                _gathering.MoreComes = _unsent.Count > 0;
            }

            try
            {
                await call.RequestStream.WriteAsync(request);
            }
            catch (Exception problem) when (problem is RpcException or InvalidOperationException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The stream is over. The reading side sees its real end and sends everything again on the next one.
                return;
            }
        }
    }

    private void Answer(SubmitReply reply)
    {
        for (var ids = reply.BatchIds.Span; ids.Length >= BatchId.Size; ids = ids[BatchId.Size..])
            Answer(BatchId.Read(ids), reply);
    }

    private void Answer(BatchId id, SubmitReply reply)
    {
        OutgoingBatch? batch;
        lock (_gate)
        {
            if (!_unanswered.Remove(id, out batch))
                return;
        }

        if (reply.ErrorCode == (int)StatusCode.ResourceExhausted && ShouldWait(batch, reply.ErrorMessage, out var delay))
        {
            _ = SendAgainAsync(batch, delay);
            return;
        }

        if (reply.ErrorCode == 0)
            Accept(batch);
        else
            Refuse(batch, Translate(batch, new RpcException(new Status((StatusCode)reply.ErrorCode, reply.ErrorMessage))));
    }

    private async Task SendAgainAsync(OutgoingBatch batch, TimeSpan delay)
    {
        try
        {
            await Task.Delay(delay, _time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            Refuse(batch, Disposed());
            return;
        }

        Send(batch);
    }

    private bool ShouldWait(OutgoingBatch batch, string reason, out TimeSpan delay)
    {
        delay = default;
        return batch.WaitsWhenFull && !ServiceErrors.IsTooLarge(reason) && batch.TryWait(_time, _patience, out delay);
    }

    private void Detach(AsyncDuplexStreamingCall<SubmitRequest, SubmitReply> call)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(_call, call))
                return;
            _call = null;
            var again = new Queue<OutgoingBatch>(_unanswered.Count + _unsent.Count);
            foreach (var batch in _unanswered.Values.OrderBy(batch => batch.Sequence))
                again.Enqueue(batch);
            foreach (var batch in _unsent)
                again.Enqueue(batch);
            _unanswered.Clear();
            _unsent = again;
            if (_unsent.Count > 0 && _wanted.CurrentCount == 0)
                _wanted.Release();
        }
    }

    private void FailAll(FuncXException problem)
    {
        List<OutgoingBatch> failed;
        lock (_gate)
        {
            failed = [.. _unanswered.Values, .. _unsent];
            _unanswered.Clear();
            _unsent.Clear();
        }

        foreach (var batch in failed)
            Refuse(batch, problem);
    }

    private void Accept(OutgoingBatch batch)
    {
        Unacknowledged.Leave(Weight(batch));
        batch.Accept();
    }

    private void Refuse(OutgoingBatch batch, FuncXException problem)
    {
        Unacknowledged.Leave(Weight(batch));
        batch.Refuse(problem);
    }

    // Nearly every call succeeds at once: it pays neither for the retry's machinery nor for the text of an error. False: worth repeating.
    private async Task<bool> TrySendAsync(OutgoingBatch batch)
    {
        try
        {
            await _service.Submit.SendAsync(batch.Request);
            _service.Retry.Reached();
            return true;
        }
        catch (RpcException problem)
        {
            // Disposal of the client ends the channel, and with it this call.
            _stop.Token.ThrowIfCancellationRequested();
            return ServiceErrors.IsTransient(problem) ? false : throw ServiceErrors.Translate(problem, _service.Address, Describe(batch));
        }
    }

    private async Task SendAloneAsync(OutgoingBatch batch)
    {
        FuncXException? problem = null;
        try
        {
            if (!await TrySendAsync(batch))
                await _service.CallAsync(options => _tasks.SubmitAsync(batch.Request, options), Describe(batch), _stop.Token);
        }
        catch (FuncXException full) when (full.InnerException is RpcException { StatusCode: StatusCode.ResourceExhausted } && ShouldWait(batch, full.Message, out var delay))
        {
            _ = SendAgainAsync(batch, delay);
            return;
        }
        catch (FuncXException refused)
        {
            problem = refused;
        }
        catch (Exception ended)
        {
            // Whatever it is: nobody awaits this, and a batch without an answer holds its lane for ever.
            problem = Explain(ended, Describe(batch));
        }

        if (problem is null)
            Accept(batch);
        else
            Refuse(batch, problem);
    }

    // A channel that is gone is the end of the client too: a map may outlive that one.
    private FuncXException Explain(Exception problem, string what) => _stop.IsCancellationRequested || problem is ObjectDisposedException
        ? Disposed()
        : new FuncXException(FuncXErrorKind.Failed, $"{what} failed: {problem.Message}", problem);

    private FuncXException Translate(OutgoingBatch batch, RpcException problem) => ServiceErrors.Translate(problem, _service.Address, Describe(batch));

    private bool Grew(ref int seen)
    {
        lock (_gate)
        {
            var grew = _unsent.Count > seen;
            seen = _unsent.Count;
            return grew;
        }
    }

    /// <summary>Begins to write when no more batches come in, or after a few looks: callers that were answered together are about to send again.</summary>
    private sealed class LateWriter(SubmitLink link, AsyncDuplexStreamingCall<SubmitRequest, SubmitReply> call) : IThreadPoolWorkItem
    {
        private const int MostLooks = 8;

        private int _looks;
        private int _seen;

        public void Execute()
        {
            if (_looks++ < MostLooks && link.Grew(ref _seen))
            {
                Thread.Yield();
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }

            _ = link.WriteAsync(call);
        }
    }

    private static FuncXException Disposed() => new(FuncXErrorKind.Failed, "The client was disposed before the service had answered.");

    private static FuncXException NotSent() => new(FuncXErrorKind.Failed, "The client was disposed before the call was sent: the service does not have it.");

    private static string Describe(OutgoingBatch batch) => $"Submitting {batch}";
}
