using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks.Events;

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
