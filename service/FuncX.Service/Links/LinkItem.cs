using FuncX.Wire;

namespace FuncX.Service.Links;

public enum LinkItemKind
{
    Tasks,
    Acknowledge,
    Cancel,
    Superseded,
}

/// <summary>Something that a link has to send.</summary>
public readonly record struct LinkItem(LinkItemKind Kind, Assignment Assignment, ulong Sequence, TaskId Task, string? By)
{
    public static LinkItem Tasks(Assignment assignment) => new(LinkItemKind.Tasks, assignment, 0, default, null);

    public static LinkItem Acknowledge(ulong sequence) => new(LinkItemKind.Acknowledge, default, sequence, default, null);

    public static LinkItem Cancel(TaskId task) => new(LinkItemKind.Cancel, default, 0, task, null);

    public static LinkItem Superseded(string by) => new(LinkItemKind.Superseded, default, 0, default, by);
}
