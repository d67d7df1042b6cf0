using FuncX.Service.Storage;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>Finds out how what a batch runs after has ended, from memory and from disk. Safe for any thread.</summary>
public sealed class DependencyReader(TaskEngine engine, TaskReader tasks)
{
    /// <summary>The dependencies of a batch with how each stands at this moment; or why they are refused.</summary>
    public async ValueTask<(IReadOnlyList<Dependency>? After, SubmitOutcome Refused)> ReadAsync(SubmissionRecord record)
    {
        var after = record.After!.ToArray();
        var found = await engine.LookAsync(state => after.Select(dependency => Look(state, record.Key.Owner, dependency)).ToArray());
        var ended = new HashSet<TaskId>();
        for (var index = 0; index < after.Length; index++)
        {
            var key = new BatchKey(after[index].Batch, record.Key.Owner);
            if ((found[index] ?? Look(key)) is not { } batch || after[index].Index >= batch.Count)
                return Refuse(StatusCode.NotFound, $"batch {record.Key.Id} is to run after {after[index]}, which was not found. What it names must have been accepted before.");
            if (batch.Group != record.Group)
                return Refuse(StatusCode.InvalidArgument, $"batch {record.Key.Id} of group '{record.Group}' is to run after {after[index]} of group '{batch.Group}'; only tasks of the same group can be waited for");
            if (batch.IsAwaited)
                continue;
            if (after[index].Index == Dependency.Whole || batch.Failed == 0)
                after[index] = after[index] with { Ended = batch.Failed == 0 ? TaskOutcome.Value : TaskOutcome.Exception };
            else
                ended.Add(new TaskId(key.Id, (uint)after[index].Index));
        }

        return ended.Count == 0 ? (after, SubmitOutcome.Accepted) : await ReadOutcomesAsync(record, after, ended);
    }

    private async ValueTask<(IReadOnlyList<Dependency>? After, SubmitOutcome Refused)> ReadOutcomesAsync(SubmissionRecord record, Dependency[] after, HashSet<TaskId> ended)
    {
        var outcomes = await tasks.ReadOutcomesAsync(record.Key.Owner, record.Group, ended);
        for (var index = 0; index < after.Length; index++)
        {
            var task = new TaskId(after[index].Batch, (uint)after[index].Index);
            if (after[index].Index == Dependency.Whole || !ended.Contains(task))
                continue;
            if (!outcomes.TryGetValue(task, out var outcome))
                return Refuse(StatusCode.NotFound, $"batch {record.Key.Id} is to run after {after[index]}, whose result has expired");
            after[index] = after[index] with { Ended = outcome };
        }

        return (after, SubmitOutcome.Accepted);
    }

    private static Found? Look(LiveState state, int owner, Dependency dependency) =>
        state.TryGet(new BatchKey(dependency.Batch, owner), out var batch) ? new Found(batch.Group.Name, batch.Count, batch.Failed, state.Awaits(owner, dependency)) : null;

    // After the look into the state: what left memory before it is in the index by now.
    private Found? Look(BatchKey key) => engine.Store.Index.Find(key) is { } finished ? new Found(finished.Group, finished.Count, finished.Failed, IsAwaited: false) : null;

    private static (IReadOnlyList<Dependency>? After, SubmitOutcome Refused) Refuse(StatusCode status, string message) => (null, SubmitOutcome.Refused(status, message));

    /// <summary>What is known of a batch that is waited for.</summary>
    private readonly record struct Found(string Group, int Count, int Failed, bool IsAwaited);
}
