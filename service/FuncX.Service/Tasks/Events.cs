using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>A batch that its caller waits for.</summary>
internal sealed class SubmitEvent(SubmissionRecord record, string endpointId, string functionId, long searchedUpTo, ServiceLimits limits) : EngineEvent<SubmitOutcome>
{
    public override void Apply(Turn turn)
    {
        if (turn.State.TryGet(record.Key, out var known))
        {
            Answer = Known(record.Key, record.Content == known.Content);
            return;
        }

        // Batches that moved from memory to the index between the caller's own search and this turn.
        if (turn.Store.Index.Newest > searchedUpTo && turn.Store.Index.Find(record.Key, searchedUpTo) is { } finished)
        {
            Answer = Known(record.Key, record.Content == finished.Content);
            return;
        }

        var endpoint = turn.State.Endpoint(record.Endpoint);
        var queued = endpoint.Queued + endpoint.Dispatched;
        var unfinished = turn.State.UnfinishedOf(record.Key.Owner);
        if (endpoint.Deleted)
        {
            Answer = SubmitOutcome.Refused(StatusCode.NotFound, $"endpoint '{endpointId}' was not found");
        }
        else if (queued + record.Count > limits.QueuePerEndpoint)
        {
            Answer = SubmitOutcome.Refused(
                StatusCode.ResourceExhausted,
                $"batch {record.Key.Id} of {record.Count} tasks for endpoint '{endpointId}' is refused: {queued} unfinished tasks are there and the limit queue_per_endpoint is {limits.QueuePerEndpoint}. Wait for results, then send it again.");
        }
        else if (unfinished + record.Count > limits.QueuePerUser)
        {
            Answer = SubmitOutcome.Refused(
                StatusCode.ResourceExhausted,
                $"batch {record.Key.Id} of {record.Count} tasks of function '{functionId}' is refused: you have {unfinished} unfinished tasks and the limit queue_per_user is {limits.QueuePerUser}. Wait for results, then send it again.");
        }
        else
        {
            turn.Submit(record);
            Answer = SubmitOutcome.Accepted;
        }
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
        if (link.Endpoint is not { } endpoint || endpoint.Link != link)
            return;
        endpoint.Link = null;
        EndAsked(turn, endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }

    /// <summary>Ends sent tasks that were to be cancelled: their endpoint is not there to say anything of them.</summary>
    internal static void EndAsked(Turn turn, EndpointState endpoint)
    {
        foreach (var (batch, index) in endpoint.CancelsAsked)
        {
            if (index < batch.Slots.Length && batch.Slots[index].State != SlotState.Done)
                turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled while its endpoint was offline."));
        }

        endpoint.CancelsAsked.Clear();
    }
}

/// <summary>The endpoint has said everything it holds.</summary>
internal sealed class ReconcileEvent(LinkSession link, IReadOnlyList<InventoryEntry> held) : EngineEvent<bool>
{
    public override void Apply(Turn turn)
    {
        if (link.Endpoint is not { } endpoint || endpoint.Link != link)
            return;
        foreach (var entry in held)
            Mark(turn, endpoint, entry);
        foreach (var batch in endpoint.Unfinished)
            Sweep(turn, batch);
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
        if (link.Endpoint is { } endpoint && endpoint.Link == link)
            turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}

/// <summary>Results and returned tasks of one link message.</summary>
internal sealed class ResultsEvent(LinkSession link, TaskResult[] results, int count, (TaskId Task, ushort Attempt)[] returned, ulong acknowledge, Action<ResultsEvent> done) : EngineEvent
{
    public TaskResult[] Results => results;

    public int Count => count;

    public override void Apply(Turn turn)
    {
        // A link from before the state was read anew is void: not acknowledged, the endpoint sends these results again over the next.
        if (link.Endpoint is not { } endpoint || link.Ended is not null)
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

            Take(turn, endpoint, batch, result);
        }

        foreach (var (task, attempt) in returned)
        {
            if (turn.State.TryGet(new BatchKey(task.Batch, link.Owner), out batch) && batch.Endpoint == endpoint && task.Index < (uint)batch.Slots.Length
                && batch.Slots[task.Index].State == SlotState.Dispatched && batch.Slots[task.Index].Attempt == attempt)
                Return(turn, batch, (int)task.Index);
        }

        if (acknowledge > 0)
            turn.Send(link, LinkItem.Acknowledge(acknowledge));
        turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline) => done(this);

    public override void Fail(string reason) => done(this);

    private static void Return(Turn turn, Batch batch, int index)
    {
        if (batch.Slots[index].CancelAsked)
            turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled before it started."));
        else
            turn.Requeue(batch, index, batch.Slots[index].Attempt);
    }

    private static void Take(Turn turn, EndpointState endpoint, Batch batch, in TaskResult result)
    {
        // A task of another endpoint, one that never was, or one that has ended: the first committed outcome stands.
        if (batch.Endpoint != endpoint || (uint)result.Index >= (uint)batch.Slots.Length)
            return;
        ref readonly var slot = ref batch.Slots[result.Index];
        if (slot.State == SlotState.Done)
            return;
        switch (result.Outcome)
        {
            case TaskOutcome.AttemptLost or TaskOutcome.Lost:
                // One of an older attempt was told before over another link, or missed when a new process connected: the attempt has been replaced already.
                if (result.Attempt == slot.Attempt && slot.State == SlotState.Dispatched)
                    turn.LoseAttempt(batch, result.Index);
                break;
            case TaskOutcome.Cancelled when result.Attempt < slot.Attempt && !slot.CancelAsked:
                break;
            default:
                turn.Finish(batch, result);
                break;
        }
    }
}

/// <summary>Cancels single tasks, or all of a group.</summary>
internal sealed class CancelEvent(int owner, IReadOnlyList<TaskId> tasks, string? group) : EngineEvent<long>
{
    public override void Apply(Turn turn)
    {
        foreach (var task in tasks)
        {
            if (turn.State.TryGet(new BatchKey(task.Batch, owner), out var batch))
                Cancel(turn, batch, task.Index);
        }

        if (group is null || !turn.State.Groups.TryGetValue((owner, group), out var state))
            return;
        foreach (var batch in turn.State.Batches.Values)
        {
            if (batch.Group != state)
                continue;
            for (var index = 0u; index < batch.Slots.Length; index++)
                Cancel(turn, batch, index);
        }
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
            if (!slot.CancelAsked)
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
        if (endpoint.Deleted)
            return;
        turn.DeleteEndpoint(endpoint);
        endpoint.Link?.End($"endpoint '{name}' was deleted");
        endpoint.Link = null;
        foreach (var batch in endpoint.Unfinished)
        {
            for (var index = 0; index < batch.Slots.Length; index++)
            {
                if (batch.Slots[index].State != SlotState.Done)
                    turn.Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("EndpointDeleted", $"Endpoint '{name}' was deleted before the task ended."));
            }
        }

        Answer = true;
    }
}

/// <summary>Tasks that a link could not send: their function or their arguments cannot be had.</summary>
internal sealed class UnsendableEvent(Assignment assignment, string reason) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        var batch = assignment.Batch;
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
    public override bool ChangesNothing => true;

    public override void Apply(Turn turn) => Answer = look(turn.State);
}

/// <summary>The clock went on.</summary>
internal sealed class TickEvent : EngineEvent
{
    public override void Apply(Turn turn)
    {
        while (turn.State.TryTakeDue(turn.Now, out var batch))
            turn.Expire(batch!);
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
        foreach (var endpoint in turn.State.Endpoints.Values)
        {
            if (endpoint.Link is null)
                DisconnectEvent.EndAsked(turn, endpoint);
        }
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
