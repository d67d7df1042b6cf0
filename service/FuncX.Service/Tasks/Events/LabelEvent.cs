using FuncX.Service.Storage;

namespace FuncX.Service.Tasks.Events;

/// <summary>Changes the labels of a group that has tasks. Answers with what became of it: done, not found, or too many labels.</summary>
internal sealed class LabelEvent(int owner, string group, IEnumerable<KeyValuePair<string, string>> set, IReadOnlyCollection<string> remove) : EngineEvent<SubmitOutcome>
{
    public override void Apply(Turn turn) => Answer = HasTasks(turn)
        ? Change(turn.Labels, owner, group, set, remove)
        : SubmitOutcome.Refused(Grpc.Core.StatusCode.NotFound, $"group '{group}' was not found");

    internal static SubmitOutcome Change(LabelChanges labels, int owner, string group, IEnumerable<KeyValuePair<string, string>> set, IEnumerable<string> remove) =>
        labels.TryChange(owner, group, set, remove) is > 0 and var many
            ? SubmitOutcome.Refused(Grpc.Core.StatusCode.InvalidArgument, $"group '{group}' would have {many} labels; the most is {LabelChanges.MostLabels}")
            : SubmitOutcome.Accepted;

    // What goes to the index with this turn is in neither of the other two.
    private bool HasTasks(Turn turn) =>
        (turn.State.Groups.TryGetValue((owner, group), out var live) && live.Batches > 0)
        || turn.Segment?.Of(owner, group).Any() == true
        || turn.Store.Index.Count(owner, group).Batches > 0;
}
