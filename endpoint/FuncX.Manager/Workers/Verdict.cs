using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>What a task that is ended together with its worker ends as, whatever the two still say; at most one task of a worker at a time.</summary>
internal sealed class Verdict
{
    private const int None = -1;

    /// <summary>The task's slot; negative: there is none.</summary>
    public int Slot { get; private set; } = None;

    public TaskOutcome Outcome { get; private set; }

    public string Type { get; private set; } = "";

    public string Text { get; private set; } = "";

    public bool IsPassed => Slot != None;

    public void Pass(int slot, TaskOutcome outcome, string type, string text) => (Slot, Outcome, Type, Text) = (slot, outcome, type, text);

    /// <summary>The task has been answered.</summary>
    public void Clear() => Slot = None;
}
