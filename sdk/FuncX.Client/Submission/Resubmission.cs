using FuncX.Client.Results;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client.Submission;

/// <summary>
/// Submits the calls of earlier tasks again. One that ran after others of them runs after their repetition; what it ran after and what is not repeated had ended well enough, and is
/// not waited for. Keeps 32 bytes for each task.
/// </summary>
internal sealed class Resubmission(TaskQueries tasks, BulkSubmission bulk)
{
    private readonly Dictionary<TaskId, TaskId> _repeated = [];
    private readonly Dictionary<BatchId, List<TaskId>> _byBatch = [];
    private readonly Dictionary<TaskId, IReadOnlyList<string>> _held = [];
    private readonly HashSet<BatchId> _heldBatches = [];

    /// <summary>Tasks whose arguments the service has no more, and those that would run after them.</summary>
    public long Forgotten { get; private set; }

    public async Task AddAsync(TaskInfo task, CancellationToken cancellation)
    {
        if (!TaskId.TryParse(task.TaskId, out var id) || await tasks.GetAsync(id, withCall: true, cancellation) is not { Call: { } call } whole)
        {
            Forgotten++;
            return;
        }

        if (call.Options.After.Count > 0)
            Hold(id, [.. call.Options.After]);
        else
            await RepeatAsync(id, whole, [], cancellation);
    }

    /// <summary>Submits those that run after others, a wave after the other, and waits until all are accepted.</summary>
    public async Task CompleteAsync(CancellationToken cancellation)
    {
        await bulk.CompleteAsync(cancellation);
        while (_held.Count > 0)
        {
            var wave = _held.Where(held => !held.Value.Any(IsHeld)).Select(static held => held.Key).Order(s_byTime).ToList();
            foreach (var id in wave)
            {
                _held.Remove(id, out var after);
                if (await tasks.GetAsync(id, withCall: true, cancellation) is { Call: not null } whole)
                    await RepeatAsync(id, whole, [.. after!.SelectMany(Repetitions)], cancellation);
                else
                    Forgotten++;
            }

            _heldBatches.Clear();
            foreach (var held in _held.Keys)
                _heldBatches.Add(held.Batch);
            await bulk.CompleteAsync(cancellation);
        }
    }

    private static readonly Comparer<TaskId> s_byTime = Comparer<TaskId>.Create(static (one, other) => one.Batch == other.Batch ? one.Index.CompareTo(other.Index) : one.Batch.CompareTo(other.Batch));

    private void Hold(TaskId id, IReadOnlyList<string> after)
    {
        _held.Add(id, after);
        _heldBatches.Add(id.Batch);
    }

    private bool IsHeld(string name) => TaskId.TryParse(name, out var task) ? _held.ContainsKey(task) : BatchId.TryParse(name, out var batch) && _heldBatches.Contains(batch);

    private IEnumerable<string> Repetitions(string name)
    {
        if (TaskId.TryParse(name, out var task))
            return _repeated.TryGetValue(task, out var again) ? [again.ToString()] : [];
        return BatchId.TryParse(name, out var batch) && _byBatch.TryGetValue(batch, out var all) ? all.Select(static one => one.ToString()) : [];
    }

    private async Task RepeatAsync(TaskId id, TaskInfo whole, List<string> after, CancellationToken cancellation)
    {
        var call = whole.Call;
        // Its deadline was for then.
        call.Options.Deadline = 0;
        call.Options.After.Clear();
        call.Options.After.AddRange(after);
        var again = await bulk.AddAsync(
            new SubmitRequest { FunctionId = whole.FunctionId, EndpointId = whole.EndpointId, ContentType = call.ContentType, Options = call.Options }, call.Arguments.Memory, cancellation);
        _repeated.Add(id, again);
        if (!_byBatch.TryGetValue(id.Batch, out var batch))
            _byBatch.Add(id.Batch, batch = []);
        batch.Add(again);
    }
}
