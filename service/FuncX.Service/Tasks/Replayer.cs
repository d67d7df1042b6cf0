using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>Brings a state forward by what the log says, with the same transitions that a turn uses.</summary>
internal sealed class Replayer(LiveState state) : IChangeTarget
{
    private readonly Dictionary<long, Batch> _byNumber = state.Batches.Values.Where(static batch => !batch.Finished).ToDictionary(static batch => batch.Number);
    private readonly ChunkDecoder _decoder = new();
    private readonly List<Batch> _submitted = [];
    private ChunkHeader _chunk;
    private long _entry;

    /// <exception cref="ChunkException">The log contradicts the state.</exception>
    public void Apply(byte[] chunk, ChunkHeader header)
    {
        _chunk = header;
        _entry = 0;
        // Each chunk knows when the one before was durable.
        foreach (var batch in header.PreviousCommitted > 0 ? _submitted : [])
            batch.Committed = header.PreviousCommitted;
        _submitted.Clear();
        state.Chunk = header.Id;
        if (header.FirstBatch != state.NextBatch)
            throw new ChunkException($"chunk {header.Id} begins with batch number {header.FirstBatch}; {state.NextBatch} comes next");
        _decoder.Walk(chunk, header, this);
    }

    public void Submitted(SubmissionRecord record, int offset, int bytes)
    {
        var batch = state.Add(record, _chunk.Id, offset, bytes, keepBodies: false);
        batch.Committed = _chunk.Time;
        _byNumber.Add(batch.Number, batch);
        _submitted.Add(batch);
    }

    public void Dispatched(long batch, int from, int count)
    {
        var found = Find(batch);
        if (from + (long)count > found.Count)
            throw new ChunkException($"chunk {_chunk.Id} dispatches tasks {from} to {from + count} of batch {found.Key.Id} of {found.Count}");
        state.MarkDispatched(found, from, count);
    }

    public void Requeued(long batch, int index, ushort attempt) => state.Requeue(Find(batch, index), index, attempt);

    public void AttemptLost(long batch, int index) => Find(batch, index).Slots[index].Losses++;

    // Nobody waits out a pause that began before the restart.
    public void Retried(long batch, int index, ushort attempt) => state.Retry(Find(batch, index), index, attempt, due: 0);

    public void CancelAsked(long batch, int index)
    {
        var found = Find(batch, index);
        found.Slots[index].CancelAsked = true;
        found.Endpoint.CancelsAsked.Add((found, index));
    }

    public void Linked(int endpoint, uint epoch, string instance)
    {
        var found = state.Endpoint(endpoint);
        found.Epoch = epoch;
        found.Instance = instance;
    }

    public void Indexed(int count)
    {
        if (count > state.Finished.Count)
            throw new ChunkException($"chunk {_chunk.Id} indexed {count} batches; {state.Finished.Count} were finished");
        state.Forget(count);
    }

    public void EndpointDeleted(int endpoint) => state.Endpoint(endpoint).Deleted = true;

    public void Results(ResultRows rows, int ordinal, int offset)
    {
        if (!_byNumber.TryGetValue(rows.BatchNumber, out var batch) || batch.Key != rows.Batch)
            throw new ChunkException($"chunk {_chunk.Id} has results of batch {rows.Batch.Id} (number {rows.BatchNumber}), which is not there");
        for (var row = 0; row < rows.Count; row++)
        {
            if ((uint)rows.Index[row] >= (uint)batch.Slots.Length || batch.Slots[rows.Index[row]].State == SlotState.Done)
                throw new ChunkException($"chunk {_chunk.Id} ends task {rows.Index[row]} of batch {batch.Key.Id} a second time");
            state.MarkDone(batch, rows.Index[row], rows.Outcome[row]);
        }

        batch.Group.AddResult(new ResultPosition(_chunk.Id, ordinal, offset));
        if (batch.ResultChunks.Count == 0 || batch.ResultChunks[^1] != _chunk.Id)
            batch.ResultChunks.Add(_chunk.Id);
        batch.Group.LastChunk = _chunk.Id;
        if (!batch.Finished)
            return;
        _byNumber.Remove(batch.Number);
        state.Finish(batch);
    }

    private Batch Find(long number, int index = 0)
    {
        _entry++;
        return _byNumber.TryGetValue(number, out var batch) && (uint)index < (uint)batch.Count
            ? batch
            : throw new ChunkException($"chunk {_chunk.Id} names batch number {number}, task {index}, in change {_entry}, which is not there");
    }
}
