using System.Buffers;
using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;

namespace FuncX.Client.Submission;

/// <summary>
/// Submits calls whose outcomes nobody waits for here: batches of calls of the same kind, a few on their way at a time, each sent again until it was accepted. Memory does
/// not depend on how many there are. One caller at a time.
/// </summary>
internal sealed class BulkSubmission(ServiceConnection service, string group, TimeProvider time, Action<long>? progress)
{
    private const int MostCalls = 1_000;
    private const int MostBytes = 4 << 20;
    private const int MostOnTheirWay = 4;

    private readonly List<Task> _sent = [];
    private readonly ArrayBufferWriter<byte> _bodies = new();
    private SubmitRequest? _batch;

    /// <summary>Calls that the service has accepted.</summary>
    public long Accepted { get; private set; }

    /// <summary>The batches so far, those on their way among them.</summary>
    public List<BatchId> Batches { get; } = [];

    /// <param name="like">Function, endpoint, content type and options of the call.</param>
    /// <param name="body">Its arguments; copied.</param>
    /// <returns>The task that it becomes.</returns>
    public async ValueTask<TaskId> AddAsync(SubmitRequest like, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (_batch is { } batch && (batch.Lengths.Count == MostCalls || _bodies.WrittenCount + body.Length > MostBytes || !IsLike(batch, like)))
            await SendAsync(cancellation);
        _batch ??= Begin(like);
        _batch.Lengths.Add((uint)body.Length);
        _bodies.Write(body.Span);
        return new TaskId(Batches[^1], (uint)_batch.Lengths.Count - 1);
    }

    /// <summary>The next call begins a new batch.</summary>
    public async ValueTask CutAsync(CancellationToken cancellation)
    {
        if (_batch is not null)
            await SendAsync(cancellation);
    }

    /// <summary>Sends what is left, and waits until all are accepted. More may be added after it.</summary>
    public async Task CompleteAsync(CancellationToken cancellation)
    {
        if (_batch is not null)
            await SendAsync(cancellation);
        while (_sent.Count > 0)
            await TakeFirstAsync();
    }

    private static bool IsLike(SubmitRequest batch, SubmitRequest other) =>
        batch.FunctionId == other.FunctionId && batch.EndpointId == other.EndpointId && batch.ContentType == other.ContentType && Equals(batch.Options, other.Options);

    private SubmitRequest Begin(SubmitRequest like)
    {
        var id = BatchId.New(time.GetUtcNow().ToUnixTimeMilliseconds());
        Batches.Add(id);
        var bytes = new byte[BatchId.Size];
        id.Write(bytes);
        return new SubmitRequest(like) { Group = group, BatchId = UnsafeByteOperations.UnsafeWrap(bytes) };
    }

    private async Task SendAsync(CancellationToken cancellation)
    {
        var batch = _batch!;
        _batch = null;
        batch.Bodies = ByteString.CopyFrom(_bodies.WrittenSpan);
        batch.ClientSent = (time.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;
        _bodies.ResetWrittenCount();
        if (_sent.Count == MostOnTheirWay)
            await TakeFirstAsync();
        _sent.Add(SubmitAsync(batch, cancellation));
    }

    private async Task TakeFirstAsync()
    {
        var first = _sent[0];
        _sent.RemoveAt(0);
        await first;
    }

    private async Task SubmitAsync(SubmitRequest batch, CancellationToken cancellation)
    {
        await service.CallAsync(options => service.BulkTasks.SubmitAsync(batch, options), $"Submitting {batch.Lengths.Count} calls", cancellation);
        lock (_sent)
            Accepted += batch.Lengths.Count;
        progress?.Invoke(Accepted);
    }
}
