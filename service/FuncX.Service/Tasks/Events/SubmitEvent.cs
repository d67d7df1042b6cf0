using FuncX.Service.Limits;
using FuncX.Service.Storage;
using Grpc.Core;

namespace FuncX.Service.Tasks.Events;

/// <summary>A batch that its caller waits for.</summary>
internal sealed class SubmitEvent(SubmissionRecord record, string endpointId, string functionId, long searchedUpTo, ServiceLimits limits, string? storageProblem, bool brief)
    : EngineEvent<SubmitOutcome>(brief)
{
    public override void Apply(Turn turn)
    {
        if (TryAnswer(turn))
            return;
        Answer = Judge(turn.State, record, endpointId, functionId, limits, storageProblem);
        if (Answer.Status == StatusCode.OK && record.After?.All(dependency => dependency.Ended != Wire.TaskOutcome.None || turn.State.Awaits(record.Key.Owner, dependency)) == false)
            Answer = SubmitOutcome.Unsettled;
        if (Answer.Status == StatusCode.OK && record.Labels is { } labels)
            Answer = LabelEvent.Change(turn.Labels, record.Key.Owner, record.Group, labels, []);
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

        // Batches that moved from memory to the index between the caller's own search and this turn, and those that do with it.
        var finished = turn.Segment?.Find(record.Key) ?? (turn.Store.Index.Newest > searchedUpTo ? turn.Store.Index.Find(record.Key, searchedUpTo) : null);
        if (finished is null)
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
        var (waits, more) = (state.Dependents.WaitsOf(record.Key.Owner), record.After?.Count(static dependency => dependency.Ended == Wire.TaskOutcome.None) ?? 0);
        if (more > 0 && unfinished + waits + record.Count + more > limits.QueuePerUser)
        {
            return SubmitOutcome.Refused(
                StatusCode.ResourceExhausted,
                $"batch {record.Key.Id} of {record.Count} tasks that wait for {more} others is refused: you have {unfinished} unfinished tasks, your batches wait for {waits} others, and the limit queue_per_user on both together is {limits.QueuePerUser}. Wait for results, or name whole batches instead of their tasks.");
        }

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
