using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>A batch that its caller waits for.</summary>
internal sealed class SubmitEvent(SubmissionRecord record, string endpointId, string functionId, long searchedUpTo, ServiceLimits limits, string? storageProblem, bool brief)
    : EngineEvent<SubmitOutcome>(brief)
{
    public override void Apply(Turn turn)
    {
        if (TryAnswer(turn))
            return;
        Answer = Judge(turn.State, record, endpointId, functionId, limits, storageProblem);
        if (Answer.Status == StatusCode.OK)
            turn.Submit(record);
    }

    public override bool TryAnswer(Turn turn)
    {
        if (turn.State.TryGet(record.Key, out var known))
        {
            Answer = Known(record.Key, record.Content == known.Content);
            return true;
        }

        // Batches that moved from memory to the index between the caller's own search and this turn.
        if (turn.Store.Index.Newest <= searchedUpTo || turn.Store.Index.Find(record.Key, searchedUpTo) is not { } finished)
            return false;
        Answer = Known(record.Key, record.Content == finished.Content);
        return true;
    }

    /// <summary>Whether a batch that was not accepted before may be now.</summary>
    internal static SubmitOutcome Judge(LiveState state, SubmissionRecord record, string endpointId, string functionId, ServiceLimits limits, string? storageProblem)
    {
        if (storageProblem is not null)
            return SubmitOutcome.Refused(StatusCode.ResourceExhausted, $"batch {record.Key.Id} is refused: {storageProblem}");
        var endpoint = state.Endpoints.GetValueOrDefault(record.Endpoint);
        if (endpoint is { Deleted: true })
            return SubmitOutcome.Refused(StatusCode.NotFound, $"endpoint '{endpointId}' was not found");
        var queued = endpoint is null ? 0 : endpoint.Queued + endpoint.Dispatched;
        if (queued + record.Count > limits.QueuePerEndpoint)
        {
            return SubmitOutcome.Refused(
                StatusCode.ResourceExhausted,
                $"batch {record.Key.Id} of {record.Count} tasks for endpoint '{endpointId}' is refused: {queued} unfinished tasks are there and the limit queue_per_endpoint is {limits.QueuePerEndpoint}. Wait for results, then send it again.");
        }

        var unfinished = state.UnfinishedOf(record.Key.Owner);
        return unfinished + record.Count > limits.QueuePerUser
            ? SubmitOutcome.Refused(
                StatusCode.ResourceExhausted,
                $"batch {record.Key.Id} of {record.Count} tasks of function '{functionId}' is refused: you have {unfinished} unfinished tasks and the limit queue_per_user is {limits.QueuePerUser}. Wait for results, then send it again.")
            : SubmitOutcome.Accepted;
    }

    public override void Fail(string reason) => Set(SubmitOutcome.Refused(StatusCode.ResourceExhausted, $"batch {record.Key.Id} is refused: {reason}"));

    internal static SubmitOutcome Known(BatchKey key, bool same) => same
        ? SubmitOutcome.AcceptedBefore
        : SubmitOutcome.Refused(StatusCode.AlreadyExists, $"batch {key.Id} was accepted before with other content. Take a new batch id for another batch.");
}

/// <summary>Opens a link; the one before is superseded.</summary>
internal sealed class ConnectEvent(LinkSession link, int endpointNumber, string by) : EngineEvent<bool>
{
    public override void Apply(Turn turn)
    {
        var endpoint = turn.State.Endpoint(endpointNumber);
        if (endpoint.Deleted)
            return;
        if (endpoint.Link is { } older)
            turn.Send(older, LinkItem.Superseded(by));
        link.SameInstance = endpoint.Instance == link.Instance && link.Instance.Length > 0;
        turn.Link(endpoint, link.Instance);
        link.Endpoint = endpoint;
        link.Epoch = endpoint.Epoch;
        endpoint.MaxAttempts = link.MaxAttempts;
        endpoint.Link = link;
        Answer = true;
    }
}

/// <summary>A link is gone.</summary>
internal sealed class DisconnectEvent(LinkSession link) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        var again = GoesOn;
        GoesOn = false;
        if (link.Endpoint is not { } endpoint || !turn.State.Has(endpoint) || endpoint.Link != (again ? null : link))
            return;
        endpoint.Link = null;
        GoesOn = !TryEndAsked(turn, endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }

    /// <summary>Ends sent tasks that were to be cancelled: their endpoint is not there to say anything of them. False: the turn is full before the last.</summary>
    internal static bool TryEndAsked(Turn turn, EndpointState endpoint)
    {
        for (var asked = endpoint.CancelsAsked; asked.Count > 0; asked.RemoveAt(asked.Count - 1))
        {
            if (turn.IsFull)
                return false;
            var (batch, index) = asked[^1];
            if (index < batch.Slots.Length && batch.Slots[index].State != SlotState.Done)
                turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled while its endpoint was offline."));
        }

        return true;
    }
}

/// <summary>The endpoint has said everything it holds.</summary>
internal sealed class ReconcileEvent(LinkSession link, IReadOnlyList<InventoryEntry> held) : EngineEvent<bool>
{
    private Batch[]? _unfinished;
    private int _swept;

    public override void Apply(Turn turn)
    {
        GoesOn = false;
        if (link.Endpoint is not { } endpoint || !turn.State.Has(endpoint) || endpoint.Link != link)
            return;
        if (_unfinished is null)
        {
            foreach (var entry in held)
                Mark(turn, endpoint, entry);
            _unfinished = [.. endpoint.Unfinished];
        }

        for (; _swept < _unfinished.Length; _swept++)
        {
            if (turn.IsFull)
            {
                GoesOn = true;
                return;
            }

            Sweep(turn, _unfinished[_swept]);
        }

        link.Reconciled = true;
        turn.MakeReady(endpoint);
        Answer = true;
    }

    private void Mark(Turn turn, EndpointState endpoint, InventoryEntry entry)
    {
        if (!turn.State.TryGet(new BatchKey(entry.Task.Batch, link.Owner), out var batch) || batch.Endpoint != endpoint
            || entry.Task.Index >= (uint)batch.Slots.Length || batch.Slots[entry.Task.Index].State == SlotState.Done)
        {
            // A finished one brings its result by itself, which is dropped and acknowledged.
            if (entry.State != HeldState.Finished)
                turn.Send(link, LinkItem.Cancel(entry.Task));
            return;
        }

        var index = (int)entry.Task.Index;
        ref var slot = ref batch.Slots[index];
        if (entry.Attempt != slot.Attempt)
            return;
        if (slot.State == SlotState.Queued)
            turn.Adopt(batch, index);
        slot.Held = true;
        if (slot.CancelAsked)
            turn.Send(link, LinkItem.Cancel(entry.Task));
    }

    private void Sweep(Turn turn, Batch batch)
    {
        if (batch.Dispatched == 0)
            return;
        // Backwards, since each goes to the front of the queue.
        for (var index = batch.Slots.Length - 1; index >= 0; index--)
        {
            ref var slot = ref batch.Slots[index];
            if (slot.State != SlotState.Dispatched)
                continue;
            if (slot.Held)
                slot.Held = false;
            else if (link.SameInstance && !slot.CancelAsked)
                turn.Requeue(batch, index, slot.Attempt);
            else
                turn.MissAttempt(batch, index);
        }
    }
}

/// <summary>Credit that an endpoint gives.</summary>
internal sealed class CreditEvent(LinkSession link, ulong tasks, ulong bytes) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        link.CreditTasks = Math.Max(link.CreditTasks, tasks);
        link.CreditBytes = Math.Max(link.CreditBytes, bytes);
        if (link.Endpoint is { } endpoint && endpoint.Link == link && turn.State.Has(endpoint))
            turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>The endpoint of a link stops.</summary>
internal sealed class DrainEvent(LinkSession link) : EngineEvent
{
    public override void Apply(Turn turn) => link.Draining = true;

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>Tasks that their endpoint gives back: they have not started, so it is the same execution that is sent again.</summary>
internal sealed class TakeBackEvent(LinkSession link, IReadOnlyList<(TaskId Task, ushort Attempt)> tasks) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        // What a link that is over gave back, the next one's inventory lacks.
        if (link.Endpoint is not { } endpoint || endpoint.Link != link)
            return;
        // Backwards, since each goes to the front of the queue.
        for (var at = tasks.Count - 1; at >= 0; at--)
        {
            var (task, attempt) = tasks[at];
            if (!turn.State.TryGet(new BatchKey(task.Batch, link.Owner), out var batch) || batch.Endpoint != endpoint || task.Index >= (uint)batch.Slots.Length)
                continue;
            ref readonly var slot = ref batch.Slots[task.Index];
            if (slot.State != SlotState.Dispatched || slot.Attempt != attempt)
                continue;
            if (slot.CancelAsked)
                turn.Finish(batch, (int)task.Index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled before it started."));
            else
                turn.Requeue(batch, (int)task.Index, slot.Attempt);
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>Results of one link message.</summary>
internal sealed class ResultsEvent(LinkSession link, TaskResult[] results, int count, ulong acknowledge, Action<ResultsEvent> done) : EngineEvent
{
    private List<int>? _keptLarge;

    public TaskResult[] Results => results;

    /// <summary>Gives back the space of large bodies that no durable result refers to.</summary>
    public void GiveBack(SegmentFiles segments)
    {
        for (var row = 0; row < count; row++)
        {
            if (!results[row].Large.IsNone && _keptLarge?.Contains(row) != true)
                segments.GiveBack(results[row].Large, results[row].BodyBytes);
        }
    }

    public override void Apply(Turn turn)
    {
        // A link from before the state was read anew is void: not acknowledged, the endpoint sends these results again over the next.
        if (link.Endpoint is not { } endpoint || link.Ended is not null || !turn.State.Has(endpoint))
            return;
        Batch? batch = null;
        for (var row = 0; row < count; row++)
        {
            ref readonly var result = ref results[row];
            if (batch is null || batch.Key.Id != result.Batch || batch.Key.Owner != result.Owner)
            {
                if (!turn.State.TryGet(new BatchKey(result.Batch, result.Owner), out batch))
                    continue;
            }

            if (Take(turn, endpoint, batch, result) && !result.Large.IsNone)
                (_keptLarge ??= []).Add(row);
        }

        if (acknowledge > 0)
            turn.Send(link, LinkItem.Acknowledge(acknowledge));
        turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline) => done(this);

    public override void Fail(string reason)
    {
        _keptLarge = null;
        done(this);
    }

    private static bool Take(Turn turn, EndpointState endpoint, Batch batch, in TaskResult result)
    {
        // A task of another endpoint, one that never was, or one that has ended: the first committed outcome stands.
        if (batch.Endpoint != endpoint || (uint)result.Index >= (uint)batch.Slots.Length)
            return false;
        ref readonly var slot = ref batch.Slots[result.Index];
        if (slot.State == SlotState.Done)
            return false;
        switch (result.Outcome)
        {
            case TaskOutcome.AttemptLost or TaskOutcome.Lost:
                // One of an older attempt was told before over another link, or missed when a new process connected: the attempt has been replaced already.
                if (result.Attempt == slot.Attempt && slot.State == SlotState.Dispatched)
                    turn.LoseAttempt(batch, result.Index);
                return false;
            case TaskOutcome.Cancelled when result.Attempt < slot.Attempt && !slot.CancelAsked:
                return false;
            default:
                turn.Finish(batch, result);
                return true;
        }
    }
}

/// <summary>Cancels single tasks, or all that a group has at this moment.</summary>
internal sealed class CancelEvent(int owner, IReadOnlyList<TaskId> tasks, string? group) : EngineEvent<long>
{
    private readonly List<Batch> _batches = [];
    private LiveState? _state;
    private int _task;
    private int _batch;
    private uint _index;

    public override void Apply(Turn turn)
    {
        if (_state != turn.State)
            Begin(turn.State);
        GoesOn = true;
        for (; _task < tasks.Count; _task++)
        {
            if (turn.IsFull)
                return;
            if (turn.State.TryGet(new BatchKey(tasks[_task].Batch, owner), out var batch))
                Cancel(turn, batch, tasks[_task].Index);
        }

        for (; _batch < _batches.Count; _batch++, _index = 0)
        {
            for (; _index < _batches[_batch].Slots.Length; _index++)
            {
                if (turn.IsFull)
                    return;
                Cancel(turn, _batches[_batch], _index);
            }
        }

        GoesOn = false;
    }

    private void Begin(LiveState state)
    {
        _state = state;
        (_task, _batch, _index, Answer) = (0, 0, 0, 0);
        _batches.Clear();
        if (group is not null && state.Groups.TryGetValue((owner, group), out var wanted))
            _batches.AddRange(state.Batches.Values.Where(batch => batch.Group == wanted));
    }

    private void Cancel(Turn turn, Batch batch, uint index)
    {
        if (index >= (uint)batch.Slots.Length || batch.Slots[index].State == SlotState.Done)
            return;
        Answer++;
        ref readonly var slot = ref batch.Slots[index];
        if (slot.State == SlotState.Queued)
        {
            turn.Finish(batch, (int)index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled before it started."));
        }
        else if (batch.Endpoint.Link is not { } link)
        {
            turn.Finish(batch, (int)index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled while its endpoint was offline."));
        }
        else
        {
            // A link is told once: when it is opened, of all that were asked for before.
            if (slot.CancelAsked)
                return;
            turn.AskCancel(batch, (int)index);
            turn.Send(link, LinkItem.Cancel(new TaskId(batch.Key.Id, index)));
        }
    }
}

/// <summary>An endpoint was deleted: what it has not finished ends.</summary>
internal sealed class EndpointDeletedEvent(int number, string name) : EngineEvent<bool>
{
    public override void Apply(Turn turn)
    {
        var endpoint = turn.State.Endpoint(number);
        if (!endpoint.Deleted)
        {
            turn.DeleteEndpoint(endpoint);
            endpoint.Link?.End($"endpoint '{name}' was deleted");
            endpoint.Link = null;
        }

        GoesOn = true;
        foreach (var batch in endpoint.Unfinished)
        {
            for (var index = 0; index < batch.Slots.Length; index++)
            {
                if (turn.IsFull)
                    return;
                if (batch.Slots[index].State != SlotState.Done)
                    turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("EndpointDeleted", $"Endpoint '{name}' was deleted before the task ended."));
            }
        }

        GoesOn = false;
        Answer = true;
    }
}

/// <summary>Tasks that a link could not send: their function or their arguments cannot be had.</summary>
internal sealed class UnsendableEvent(Assignment assignment, string reason) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        var batch = assignment.Batch;
        if (!turn.State.Has(batch))
            return;
        for (var index = assignment.From; index < assignment.From + assignment.Count && index < batch.Slots.Length; index++)
        {
            if (batch.Slots[index].State != SlotState.Done)
                turn.Finish(batch, index, TaskOutcome.Rejected, new FailureBody("Rejected", reason));
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>A look at the state between two turns.</summary>
internal sealed class LookEvent<T>(Func<LiveState, T> look) : EngineEvent<T>
{
    public override void Apply(Turn turn) => Answer = look(turn.State);

    public override bool TryAnswer(Turn turn)
    {
        Apply(turn);
        return true;
    }
}

/// <summary>The clock went on.</summary>
internal sealed class TickEvent : EngineEvent
{
    public override void Apply(Turn turn)
    {
        while (!turn.IsFull && turn.State.TryTakeDue(turn.Now, out var batch))
            turn.Expire(batch!);
        GoesOn = turn.IsFull;
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>The state was just read from disk: no endpoint is connected.</summary>
internal sealed class StartEvent : EngineEvent
{
    public override void Apply(Turn turn)
    {
        GoesOn = false;
        foreach (var endpoint in turn.State.Endpoints.Values)
        {
            if (endpoint.Link is null)
                GoesOn |= !DisconnectEvent.TryEndAsked(turn, endpoint);
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>An endpoint still has what the last turn was too full to look at.</summary>
internal sealed class ReadyEvent(EndpointState endpoint) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        if (turn.State.Has(endpoint))
            turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
