namespace FuncX.Service.Tasks;

/// <summary>Where one live task stands.</summary>
public struct TaskSlot
{
    /// <summary>Unix microseconds when it was handed to the link, 0 not yet. Written by the link's sender, read when its result comes.</summary>
    public long Sent;

    /// <summary>Executions begun or about to begin, from 1.</summary>
    public ushort Attempt;

    public SlotState State;

    /// <summary>Its user wants it gone.</summary>
    public bool CancelAsked;

    /// <summary>Named by the inventory that is being received.</summary>
    public bool Held;
}

public enum SlotState : byte
{
    Queued,
    Dispatched,
    Done,
}
