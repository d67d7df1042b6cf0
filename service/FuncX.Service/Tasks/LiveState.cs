using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>
/// Everything that is not finished and indexed, and the transitions that change it. The same methods serve a turn and the replay of the log, so
/// a restart arrives where the service was. Single-threaded: owned by the turn. No clock, no disk, no sockets.
/// </summary>
public sealed class LiveState
{
    private readonly Dictionary<BatchKey, Batch> _batches = [];
    private readonly Dictionary<(int Owner, string Name), GroupState> _groups = [];
    private readonly Dictionary<int, EndpointState> _endpoints = [];
    private readonly Dictionary<int, long> _unfinishedByOwner = [];
    private readonly Queue<Batch> _finished = new();
    private readonly PriorityQueue<Batch, long> _deadlines = new();
    private readonly PriorityQueue<(Batch Batch, int Index, ushort Attempt), long> _pauses = new();
    private readonly Dependents _dependents = new();

    /// <summary>The number the next batch gets.</summary>
    public long NextBatch { get; set; } = 1;

    /// <summary>The chunk that the transitions of this moment go to.</summary>
    public long Chunk { get; set; } = 1;

    /// <summary>Batches that were forgotten here are in segments of the index up to this one.</summary>
    public long Indexed { get; set; }

    /// <summary>Bytes of bodies kept in memory.</summary>
    public long ResidentBytes { get; private set; }

    /// <summary>Bytes of requests kept in memory for the large bodies among them.</summary>
    public long LargeResidentBytes { get; private set; }

    /// <summary>Finished batches that are not in the index yet, oldest first.</summary>
    public Queue<Batch> Finished => _finished;

    public IReadOnlyDictionary<BatchKey, Batch> Batches => _batches;

    public IReadOnlyDictionary<(int Owner, string Name), GroupState> Groups => _groups;

    public IReadOnlyDictionary<int, EndpointState> Endpoints => _endpoints;

    /// <summary>Tasks that have not ended.</summary>
    public long Unfinished { get; private set; }

    /// <summary>What waited for other tasks and has something to happen to it now.</summary>
    public Dependents Dependents => _dependents;

    public bool TryGet(BatchKey key, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Batch? batch) => _batches.TryGetValue(key, out batch);

    /// <summary>False for what a link or an event still knows from before the state was read anew: that is void.</summary>
    public bool Has(EndpointState endpoint) => _endpoints.GetValueOrDefault(endpoint.Number) == endpoint;

    /// <inheritdoc cref="Has(EndpointState)"/>
    public bool Has(Batch batch) => _batches.GetValueOrDefault(batch.Key) == batch;

    /// <summary>Whether a task is known and has not ended.</summary>
    public bool Awaits(BatchKey key, int index) => _batches.TryGetValue(key, out var batch) && (uint)index < (uint)batch.Slots.Length && batch.Slots[index].State != SlotState.Done;

    /// <summary>Whether a task is known and has not ended, or of a whole batch some have not and none has failed.</summary>
    public bool Awaits(int owner, Dependency dependency) => _batches.TryGetValue(new BatchKey(dependency.Batch, owner), out var batch) && !batch.Finished
        && (dependency.Index == Dependency.Whole ? batch.Failed == 0 : dependency.Index < batch.Count && batch.Slots[dependency.Index].State != SlotState.Done);

    public long UnfinishedOf(int owner) => _unfinishedByOwner.GetValueOrDefault(owner);

    public EndpointState Endpoint(int number)
    {
        if (!_endpoints.TryGetValue(number, out var endpoint))
            _endpoints.Add(number, endpoint = new EndpointState(number));
        return endpoint;
    }

    /// <summary>The group with its results before <paramref name="floor"/> only on disk.</summary>
    public GroupState RestoreGroup(int owner, string name, long floor)
    {
        var group = new GroupState(owner, name, floor);
        _groups.Add((owner, name), group);
        return group;
    }

    public GroupState Group(int owner, string name)
    {
        if (!_groups.TryGetValue((owner, name), out var group))
            _groups.Add((owner, name), group = new GroupState(owner, name, Chunk));
        return group;
    }

    /// <summary>Takes in a batch; all its tasks are queued.</summary>
    public Batch Add(SubmissionRecord record, long chunk, int offset, int bytes, bool keepBodies)
    {
        var slots = new TaskSlot[record.Count];
        for (var index = 0; index < slots.Length; index++)
            slots[index].Attempt = 1;
        var batch = new Batch
        {
            Number = NextBatch++,
            Key = record.Key,
            Group = Group(record.Key.Owner, record.Group),
            Endpoint = Endpoint(record.Endpoint),
            Function = record.Function,
            Count = record.Count,
            Content = record.Content,
            ContentType = (byte)record.ContentType,
            Priority = record.Priority,
            MaxAttempts = record.MaxAttempts,
            Retry = record.Retry,
            WalltimeMilliseconds = record.WalltimeMilliseconds,
            Deadline = record.Deadline,
            ClientSent = record.ClientSent,
            Accepted = record.Accepted,
            SubmitChunk = chunk,
            SubmitOffset = offset,
            SubmitBytes = bytes,
            // What it runs after is noted below, and may be larger than all the rest.
            Record = !keepBodies ? null : record.After is null ? record : record with { After = null },
            SameLength = record.SameLength,
            Offsets = record.Offsets,
            LargeBytes = record.LargeBytes,
            Slots = slots,
            Queued = record.Count,
        };
        if (keepBodies)
            Count(record, 1);
        Insert(batch);
        foreach (var dependency in record.After ?? [])
            _dependents.Add(batch, dependency, this);
        if (!batch.IsHeldBack)
            batch.Endpoint.Enqueue(new Run(batch, 0, batch.Count), front: false);
        return batch;
    }

    /// <summary>Takes in a batch as a snapshot had it, with its tasks in any state.</summary>
    public void Restore(Batch batch)
    {
        Insert(batch);
        if (batch.Finished)
        {
            batch.Slots = [];
            batch.Endpoint.Unfinished.Remove(batch);
            _finished.Enqueue(batch);
            return;
        }

        if (batch.IsHeldBack)
        {
            _dependents.Restore(batch, this);
            return;
        }

        for (var from = 0; from < batch.Count;)
        {
            var to = from;
            while (to < batch.Count && batch.Slots[to].State == SlotState.Queued)
                to++;
            if (to > from)
                batch.Endpoint.Enqueue(new Run(batch, from, to), front: false);
            from = to + 1;
        }
    }

    public void MarkDispatched(Batch batch, int from, int count)
    {
        for (var index = from; index < from + count; index++)
        {
            batch.Slots[index].State = SlotState.Dispatched;
            batch.Slots[index].Resting = false;
        }

        // The log tells of a turn's dispatches before its results: what waits there was released by one of them.
        if (batch.Waits is not null)
            batch.Group.Waiting -= count;
        batch.Queued -= count;
        batch.Dispatched += count;
        batch.Group.Queued -= count;
        batch.Group.Dispatched += count;
        batch.Endpoint.Queued -= count;
        batch.Endpoint.Dispatched += count;
    }

    /// <summary>Puts a dispatched task back at the front of its queue.</summary>
    public void Requeue(Batch batch, int index, ushort attempt) => Requeue(batch, index, attempt, front: true, due: 0);

    /// <summary>Counts a failed task as tried again, and puts it back into its queue when its pause is over.</summary>
    /// <param name="due">Unix microseconds; 0: at once.</param>
    public void Retry(Batch batch, int index, ushort attempt, long due)
    {
        batch.Slots[index].Retries++;
        // Behind what waits: who fails at once would else keep everybody else waiting.
        Requeue(batch, index, attempt, front: false, due);
    }

    /// <summary>Puts tasks whose pause is over into their queues; gives the endpoint of one, null when there is none.</summary>
    public EndpointState? TakeRested(long now)
    {
        while (_pauses.TryPeek(out var paused, out var due) && due <= now)
        {
            _pauses.Dequeue();
            // It may have been cancelled, or have expired, and its batch be gone.
            if (!Has(paused.Batch) || paused.Index >= paused.Batch.Slots.Length)
                continue;
            ref var slot = ref paused.Batch.Slots[paused.Index];
            if (!slot.Resting || slot.Attempt != paused.Attempt)
                continue;
            slot.Resting = false;
            paused.Batch.Endpoint.Enqueue(new Run(paused.Batch, paused.Index, paused.Index + 1), front: false);
            return paused.Batch.Endpoint;
        }

        return null;
    }

    private void Requeue(Batch batch, int index, ushort attempt, bool front, long due)
    {
        ref var slot = ref batch.Slots[index];
        slot.Attempt = attempt;
        if (slot.State != SlotState.Dispatched)
            return;
        slot.State = SlotState.Queued;
        slot.Sent = 0;
        if (batch.Waits is not null)
            batch.Group.Waiting++;
        batch.Queued++;
        batch.Dispatched--;
        batch.Group.Queued++;
        batch.Group.Dispatched--;
        batch.Endpoint.Queued++;
        batch.Endpoint.Dispatched--;
        slot.Resting = due > 0;
        if (due > 0)
            _pauses.Enqueue((batch, index, attempt), due);
        else
            batch.Endpoint.Enqueue(new Run(batch, index, index + 1), front);
        if (!batch.DeadlinePassed)
            return;
        batch.DeadlinePassed = false;
        _deadlines.Enqueue(batch, batch.Deadline);
    }

    /// <summary>Ends a task that has not ended. A batch whose last task this was waits for <see cref="Finish"/>.</summary>
    public void MarkDone(Batch batch, int index, TaskOutcome outcome)
    {
        ref var slot = ref batch.Slots[index];
        if (slot.State == SlotState.Queued)
        {
            if (batch.Waits is not null)
                batch.Group.Waiting--;
            batch.Queued--;
            batch.Group.Queued--;
            batch.Endpoint.Queued--;
        }
        else
        {
            batch.Dispatched--;
            batch.Group.Dispatched--;
            batch.Endpoint.Dispatched--;
        }

        slot.State = SlotState.Done;
        batch.Done++;
        batch.Group.Done++;
        if (outcome != TaskOutcome.Value)
        {
            batch.Failed++;
            batch.Group.Failed++;
        }

        Unfinished--;
        _unfinishedByOwner[batch.Key.Owner]--;
        if (batch.Dependents is not null)
            _dependents.Ended(batch, index, outcome);
        if (batch.Finished && batch.Waits is not null)
            _dependents.Leave(batch);
    }

    /// <summary>Lets go of what only unfinished batches need, and puts the batch in line for the index.</summary>
    public void Finish(Batch batch)
    {
        batch.Slots = [];
        batch.Offsets = null;
        batch.LargeBytes = null;
        LetGo(batch);
        batch.Endpoint.Unfinished.Remove(batch);
        _finished.Enqueue(batch);
    }

    /// <summary>Drops a batch's bodies from memory; they are still in its chunk.</summary>
    public void LetGo(Batch batch)
    {
        if (batch.Record is not { } record)
            return;
        Count(record, -1);
        batch.Record = null;
    }

    /// <summary>Forgets the oldest finished batches: they are in the index now.</summary>
    public void Forget(int count)
    {
        for (; count > 0; count--)
        {
            var batch = _finished.Dequeue();
            _batches.Remove(batch.Key);
            var group = batch.Group;
            group.Batches--;
            group.Tasks -= batch.Count;
            group.Done -= batch.Count;
            group.Failed -= batch.Failed;
            Release(group);
        }
    }

    /// <summary>Drops a group that has nothing in memory and that nobody listens to.</summary>
    public void Release(GroupState group)
    {
        if (group.IsIdle)
            _groups.Remove((group.Owner, group.Name));
    }

    /// <summary>Takes batches with a deadline before <paramref name="now"/>; each is given once, and again when a task comes back into its queue.</summary>
    public bool TryTakeDue(long now, out Batch? batch)
    {
        while (_deadlines.TryPeek(out batch, out var deadline) && deadline <= now)
        {
            _deadlines.Dequeue();
            batch.DeadlinePassed = true;
            if (!batch.Finished)
                return true;
        }

        batch = null;
        return false;
    }

    private void Count(SubmissionRecord kept, int sign)
    {
        ResidentBytes += sign * (long)kept.Bodies.Length;
        LargeResidentBytes += sign * (long)kept.Came.Length;
    }

    private void Insert(Batch batch)
    {
        _batches.Add(batch.Key, batch);
        batch.Group.Batches++;
        batch.Group.LastChunk = Math.Max(batch.Group.LastChunk, batch.ResultChunks.Count > 0 ? batch.ResultChunks[^1] : batch.SubmitChunk);
        batch.Group.Tasks += batch.Count;
        batch.Group.Queued += batch.Queued;
        batch.Group.Dispatched += batch.Dispatched;
        batch.Group.Done += batch.Done;
        batch.Group.Failed += batch.Failed;
        batch.Endpoint.Queued += batch.Queued;
        batch.Endpoint.Dispatched += batch.Dispatched;
        batch.Endpoint.Unfinished.Add(batch);
        var unfinished = batch.Queued + batch.Dispatched;
        Unfinished += unfinished;
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_unfinishedByOwner, batch.Key.Owner, out _) += unfinished;
        if (batch.Deadline > 0 && unfinished > 0)
            _deadlines.Enqueue(batch, batch.Deadline);
    }
}
