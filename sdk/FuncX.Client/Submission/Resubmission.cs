using FuncX.Client.Results;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client.Submission;

/// <summary>
/// Submits the calls of earlier tasks again. One that ran after others of them runs after their repetition; what it ran after and what is not repeated had ended well enough, and is
/// not waited for. Keeps 48 bytes for each task.
/// </summary>
internal sealed class Resubmission(TaskQueries tasks, BulkSubmission bulk)
{
    private readonly Dictionary<TaskId, TaskId> _repeated = [];
    private readonly Dictionary<BatchId, List<TaskId>> _byBatch = [];

    /// <summary>The batch that all tasks of a new one repeat; null: they repeat several.</summary>
    private readonly Dictionary<BatchId, BatchId?> _origins = [];

    /// <summary>Batches whose calls ran after others, which all calls of a batch have in common.</summary>
    private readonly Dictionary<BatchId, Held> _held = [];
    private readonly HashSet<TaskId> _missing = [];
    private readonly HashSet<BatchId> _missingBatches = [];
    private BatchId _last;
    private int _ofLast;

    /// <summary>Tasks whose arguments the service has no more, and those that would run after one of them that had failed.</summary>
    public long Forgotten { get; private set; }

    public async Task AddAsync(TaskInfo task, CancellationToken cancellation)
    {
        if (!TaskId.TryParse(task.TaskId, out var id) || await tasks.GetAsync(id, withCall: true, cancellation) is not { Call: { } call } whole)
        {
            Forget(id, task);
            return;
        }

        if (call.Options.After.Count > 0)
            Hold(id, call.Options.After);
        else
            await RepeatAsync(id, whole, [], cancellation);
    }

    /// <summary>Submits those that run after others, a wave after the other, and waits until all are accepted.</summary>
    public async Task CompleteAsync(CancellationToken cancellation)
    {
        await bulk.CompleteAsync(cancellation);
        while (_held.Count > 0)
        {
            var wave = _held.Where(held => !held.Value.After.Exists(name => _held.ContainsKey(name.Batch))).OrderBy(static held => held.Key).ToList();
            foreach (var (batch, held) in wave)
            {
                var isMissing = held.After.Exists(IsMissing);
                List<string> after = [.. held.After.SelectMany(Repetitions)];
                foreach (var index in held.Tasks)
                {
                    var id = new TaskId(batch, index);
                    var whole = await tasks.GetAsync(id, withCall: true, cancellation);
                    if (whole.Call is null || isMissing)
                        Forget(id, whole);
                    else
                        await RepeatAsync(id, whole, after, cancellation);
                }
            }

            foreach (var (batch, _) in wave)
                _held.Remove(batch);
            await bulk.CompleteAsync(cancellation);
        }
    }

    private void Hold(TaskId id, IEnumerable<string> after)
    {
        if (!_held.TryGetValue(id.Batch, out var held))
            _held.Add(id.Batch, held = new Held([.. after.Select(Parse)], []));
        held.Tasks.Add(id.Index);
    }

    private void Forget(TaskId id, TaskInfo task)
    {
        Forgotten++;
        if (task.Outcome == Outcome.Value)
            return;
        _missing.Add(id);
        _missingBatches.Add(id.Batch);
    }

    private bool IsMissing((BatchId Batch, uint? Index) name) => name.Index is { } index ? _missing.Contains(new TaskId(name.Batch, index)) : _missingBatches.Contains(name.Batch);

    // A name for each task of a large batch would be more than the service takes.
    private IEnumerable<string> Repetitions((BatchId Batch, uint? Index) name)
    {
        if (name.Index is { } index)
            return _repeated.TryGetValue(new TaskId(name.Batch, index), out var again) ? [again.ToString()] : [];
        return _byBatch.TryGetValue(name.Batch, out var all) ? all.Select(one => _origins[one.Batch] is null ? one.ToString() : one.Batch.ToString()).Distinct() : [];
    }

    private async Task RepeatAsync(TaskId id, TaskInfo whole, List<string> after, CancellationToken cancellation)
    {
        var call = whole.Call;
        // Its deadline was for then.
        call.Options.Deadline = 0;
        call.Options.After.Clear();
        call.Options.After.AddRange(after);
        await CutAsync(id.Batch, cancellation);
        var again = await bulk.AddAsync(
            new SubmitRequest { FunctionId = whole.FunctionId, EndpointId = whole.EndpointId, ContentType = call.ContentType, Options = call.Options }, call.Arguments.Memory, cancellation);
        _repeated.Add(id, again);
        if (!_byBatch.TryGetValue(id.Batch, out var batch))
            _byBatch.Add(id.Batch, batch = []);
        batch.Add(again);
        _origins[again.Batch] = !_origins.TryGetValue(again.Batch, out var origin) || origin == id.Batch ? id.Batch : null;
    }

    // Calls that were batches of one go together; those of a larger batch get batches of their own from the second on, which stand for it.
    private async ValueTask CutAsync(BatchId origin, CancellationToken cancellation)
    {
        var same = origin == _last;
        if (same ? _ofLast == 1 && _origins[bulk.Batches[^1]] is null : _ofLast > 1)
            await bulk.CutAsync(cancellation);
        _ofLast = same ? _ofLast + 1 : 1;
        _last = origin;
    }

    private static (BatchId Batch, uint? Index) Parse(string name) =>
        TaskId.TryParse(name, out var task) ? (task.Batch, task.Index)
        : BatchId.TryParse(name, out var batch) ? (batch, null)
        : throw new FuncXException(FuncXErrorKind.Failed, $"The service says that a task ran after '{name}', which is neither a task nor a batch.");

    /// <param name="After">What they ran after: tasks, or whole batches.</param>
    /// <param name="Tasks">Those of its tasks that are to be repeated.</param>
    private sealed record Held(List<(BatchId Batch, uint? Index)> After, List<uint> Tasks);
}
