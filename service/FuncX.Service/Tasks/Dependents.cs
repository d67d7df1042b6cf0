using System.Runtime.InteropServices;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>
/// Batches that run after other tasks: who waits for what, and what follows when it ends. The same for a turn and for the replay of the log, so nothing of it is written but
/// what a submission asks for. Owned by the turn.
/// </summary>
public sealed class Dependents
{
    private readonly Queue<Batch> _broken = new();
    private readonly List<EndpointState> _released = [];
    private readonly Dictionary<int, long> _waitsByOwner = [];

    /// <summary>Notes that a new batch runs after something that had not ended, or that had ended in the way it says, when it was accepted.</summary>
    /// <exception cref="ChunkException">There is no such unfinished task.</exception>
    internal void Add(Batch batch, Dependency dependency, LiveState state)
    {
        if (dependency.HasFailed)
            Break(batch, dependency);
        else if (dependency.Ended == TaskOutcome.None)
            Wait(batch, dependency, state);
    }

    /// <summary>Takes in what a snapshot says of a batch that is held back.</summary>
    /// <exception cref="ChunkException">It waits for what is not there.</exception>
    internal void Restore(Batch batch, LiveState state)
    {
        foreach (var (key, index) in batch.Waits ?? [])
            Note(batch, key, index, state);
        if (batch.Waits is not null)
            batch.Group.Waiting += batch.Queued;
        if (batch.Broken is not null)
            _broken.Enqueue(batch);
    }

    /// <summary>A task of a batch that others wait for has ended.</summary>
    internal void Ended(Batch batch, int index, TaskOutcome outcome)
    {
        var ended = new Dependency(batch.Key.Id, index, outcome);
        if (batch.Dependents!.Remove(index, out var waiting))
        {
            foreach (var dependent in waiting)
                Settle(dependent, batch.Key, ended);
        }

        if ((outcome == TaskOutcome.Value && !batch.Finished) || !batch.Dependents.Remove(Dependency.Whole, out waiting))
            return;
        foreach (var dependent in waiting)
            Settle(dependent, batch.Key, ended with { Index = Dependency.Whole });
    }

    /// <summary>A batch has ended while it waited: it waits no longer.</summary>
    internal void Leave(Batch batch)
    {
        _waitsByOwner[batch.Key.Owner] -= batch.Waits!.Count;
        batch.Waits = null;
    }

    /// <summary>How much the batches of an owner wait for, counted for each batch.</summary>
    public long WaitsOf(int owner) => _waitsByOwner.GetValueOrDefault(owner);

    /// <summary>Takes a batch whose tasks are to end because of what they waited for.</summary>
    public bool TryTakeBroken([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Batch? batch)
    {
        while (_broken.TryDequeue(out batch))
        {
            if (!batch.Finished)
                return true;
        }

        return false;
    }

    /// <summary>Whether <see cref="TryTakeBroken"/> may have one.</summary>
    public bool HasBroken => _broken.Count > 0;

    /// <summary>Endpoints that have more work since the last call of <see cref="ForgetReleased"/>.</summary>
    public IReadOnlyList<EndpointState> Released => _released;

    public void ForgetReleased() => _released.Clear();

    private void Wait(Batch batch, Dependency dependency, LiveState state)
    {
        var key = new BatchKey(dependency.Batch, batch.Key.Owner);
        var first = batch.Waits is null;
        // Named twice it is waited for once.
        if (!(batch.Waits ??= []).Add((key, dependency.Index)))
            return;
        Note(batch, key, dependency.Index, state);
        if (first)
            batch.Group.Waiting += batch.Queued;
    }

    private void Note(Batch batch, BatchKey key, int index, LiveState state)
    {
        if (!state.TryGet(key, out var before) || before.Finished || index >= before.Count || (index >= 0 && before.Slots[index].State == SlotState.Done))
            throw new ChunkException($"batch {batch.Key.Id} waits for {new Dependency(key.Id, index)}, which is not there or has ended");
        before.Dependents ??= [];
        if (!before.Dependents.TryGetValue(index, out var waiting))
            before.Dependents.Add(index, waiting = []);
        // What has ended since goes when there is no more room; to look for each when it ends would take as long as the list is.
        if (waiting.Count == waiting.Capacity && waiting.RemoveAll(static one => one.Finished) < waiting.Capacity / 2)
            waiting.Capacity *= 2;
        waiting.Add(batch);
        CollectionsMarshal.GetValueRefOrAddDefault(_waitsByOwner, batch.Key.Owner, out _)++;
    }

    private void Settle(Batch batch, BatchKey key, Dependency ended)
    {
        if (batch.Waits is null || !batch.Waits.Remove((key, ended.Index)))
            return;
        _waitsByOwner[batch.Key.Owner]--;
        if (ended.HasFailed)
            Break(batch, ended);
        if (batch.Waits.Count > 0)
            return;
        batch.Waits = null;
        batch.Group.Waiting -= batch.Queued;
        if (batch.Broken is not null || batch.Finished)
            return;
        batch.Endpoint.Enqueue(new Run(batch, 0, batch.Count), front: false);
        _released.Add(batch.Endpoint);
    }

    private void Break(Batch batch, Dependency by)
    {
        if (batch.Broken is not null)
            return;
        batch.Broken = by;
        _broken.Enqueue(batch);
    }
}
