using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Service.Tasks.Events;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>The way of a submission from its request to its answer. Safe for any thread.</summary>
public sealed class Submissions(TaskEngine engine, SubmissionReader reader, DependencyReader dependencies, FunctionCatalog functions, EndpointCatalog endpoints)
{
    /// <summary>Accepts a batch; the answer comes when it is durable.</summary>
    /// <param name="request">As it came.</param>
    /// <param name="owner">Who submits.</param>
    /// <param name="inline">Nothing else of this caller waits: the turn may run on this thread.</param>
    /// <param name="brief">What the caller does with the answer does not block and is little: it may run on the engine's thread.</param>
    public ValueTask<SubmitOutcome> SubmitAsync(SubmitRequest request, OwnerId owner, bool inline, bool brief = false)
    {
        var malformed = SubmissionReader.CheckShape(request);
        if (malformed.Status != StatusCode.OK)
            return new ValueTask<SubmitOutcome>(malformed);
        var record = reader.Read(request, owner, engine.Now, out var refused);
        if (record is null)
            return KnownOrAsync(request, owner, refused);
        var large = LargeBytes(record);
        return large > 0 ? SubmitLargeAsync(record, request, large)
            : record.After is not null ? SubmitAfterAsync(record, request)
            : engine.SubmitAsync(record, request.EndpointId, request.FunctionId, inline, brief);
    }

    /// <summary>A turn takes only what has not ended for something to wait for; how the rest has ended is looked up before, since that may stand on disk.</summary>
    private async ValueTask<SubmitOutcome> SubmitAfterAsync(SubmissionRecord record, SubmitRequest request)
    {
        // Its own copy waits for what it was accepted with.
        if (await engine.FindAsync(record.Key) is { } known)
            return SubmitEvent.Known(record.Key, record.Content == known.Content);
        while (true)
        {
            var (after, refused) = await dependencies.ReadAsync(record);
            if (after is null)
                return refused;
            var outcome = await engine.SubmitAsync(record with { After = after }, request.EndpointId, request.FunctionId, inline: true);
            if (outcome != SubmitOutcome.Unsettled)
                return outcome;
        }
    }

    /// <summary>What was accepted stays accepted: a batch that comes again is answered as before, whatever has become of its function, its endpoint or the limits.</summary>
    private async ValueTask<SubmitOutcome> KnownOrAsync(SubmitRequest request, OwnerId owner, SubmitOutcome refused)
    {
        var key = new BatchKey(BatchId.Read(request.BatchId.Span), owner.Number);
        return await engine.FindAsync(key) is { } known ? SubmitEvent.Known(key, IsSame(request, known)) : refused;
    }

    private bool IsSame(SubmitRequest request, KnownBatch known) =>
        functions.TryGetByNumber(known.Function, out var function) && function.FunctionId == request.FunctionId
        && endpoints.TryGetByNumber(known.Endpoint, out var endpoint) && endpoint.EndpointId == request.EndpointId
        && SubmissionReader.Hash(request, known.Function, known.Endpoint) == known.Content;

    /// <summary>
    /// Large bodies are durable before the turn that refers to them, so the answer is asked for first: what is refused, or was accepted before, writes nothing.
    /// The turn has the last word; what it does not take is given back.
    /// </summary>
    private async ValueTask<SubmitOutcome> SubmitLargeAsync(SubmissionRecord record, SubmitRequest request, long large)
    {
        var foreseen = await engine.ForeseeAsync(record, request.EndpointId, request.FunctionId, large);
        if (foreseen != SubmitOutcome.Accepted)
            return foreseen;
        var moved = new SegmentReference[record.Count];
        var kept = false;
        try
        {
            var small = await MoveLargeAsync(record, moved);
            var outcome = small.After is null ? await engine.SubmitAsync(small, request.EndpointId, request.FunctionId, inline: true) : await SubmitAfterAsync(small, request);
            kept = outcome == SubmitOutcome.Accepted;
            return outcome;
        }
        catch (StorageFullException problem)
        {
            return SubmitOutcome.Refused(StatusCode.ResourceExhausted, $"batch {record.Key.Id} is refused: {problem.Message}");
        }
        finally
        {
            for (var index = 0; !kept && index < moved.Length; index++)
            {
                if (!moved[index].IsNone)
                    engine.GiveBack(moved[index], record.BytesOf(index));
            }
        }
    }

    private async ValueTask<SubmissionRecord> MoveLargeAsync(SubmissionRecord record, SegmentReference[] references)
    {
        var offsets = record.Offsets!;
        var largeBytes = new int[record.Count];
        var small = new int[record.Count + 1];
        var bodies = new ChunkBuffer();
        SegmentReference first = default, last = default;
        for (var index = 0; index < record.Count; index++)
        {
            var body = record.Bodies.Span[offsets[index]..offsets[index + 1]];
            if (body.Length > SegmentFiles.LargeBody)
            {
                last = references[index] = engine.Store.Segments.Append(body, isKept: true);
                first = first.IsNone ? last : first;
                largeBytes[index] = body.Length;
            }
            else
            {
                bodies.Bytes(body);
            }

            small[index + 1] = bodies.Length;
        }

        await engine.Store.Segments.SyncAsync(first, last);
        return record with { Bodies = bodies.WrittenMemory, Offsets = small, SameLength = 0, Large = references, LargeBytes = largeBytes, Came = record.Bodies, CameAt = offsets };
    }

    private static long LargeBytes(SubmissionRecord record)
    {
        if (record.Offsets is not { } offsets)
            return 0;
        long large = 0;
        for (var index = 0; index < record.Count; index++)
        {
            var bytes = offsets[index + 1] - offsets[index];
            large += bytes > SegmentFiles.LargeBody ? bytes : 0;
        }

        return large;
    }
}
