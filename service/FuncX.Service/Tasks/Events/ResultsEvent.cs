using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

/// <summary>Results of one link message.</summary>
internal sealed class ResultsEvent(LinkSession link, TaskResult[] results, int count, ulong acknowledge, Action<ResultsEvent> done) : EngineEvent
{
    private List<int>? _keptLarge;

    public TaskResult[] Results => results;

    /// <summary>Gives back the space of large bodies that no durable result refers to.</summary>
    public void GiveBack(TaskEngine engine)
    {
        for (var row = 0; row < count; row++)
        {
            if (!results[row].Large.IsNone && _keptLarge?.Contains(row) != true)
                engine.GiveBack(results[row].Large, results[row].BodyBytes);
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
                    turn.LoseAttempt(batch, result, result.CutOff);
                return false;
            case TaskOutcome.Cancelled when result.Attempt < slot.Attempt && !slot.CancelAsked:
                return false;
            // It was told before, its acknowledgement was lost, and the task has been tried again since.
            case TaskOutcome.Exception or TaskOutcome.TimedOut when batch.Retry is not null && result.Attempt < slot.Attempt:
                return false;
            case TaskOutcome.Exception or TaskOutcome.TimedOut when turn.Retry(batch, result):
                return false;
            default:
                turn.Finish(batch, result);
                return true;
        }
    }
}
