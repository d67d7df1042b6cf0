namespace FuncX.Service.Tasks;

/// <summary>Where one live task stands.</summary>
public struct TaskSlot
{
    /// <summary>Unix microseconds when it was handed to the link, 0 not yet. Written by the link's sender, read when its result comes.</summary>
    public long Sent;

    /// <summary>Which execution this is, from 1: rises whenever the task is handed out again and the one before may have begun.</summary>
    public ushort Attempt;

    /// <summary>Executions of which the endpoint said that they were lost; <see cref="Batch.AllowedAttempts"/> of them end the task.</summary>
    public ushort Losses;

    /// <summary>How often it was tried again because its function failed.</summary>
    public ushort Retries;

    /// <summary>A task that was lost twice may be what ends its worker or node: it runs with no other beside it.</summary>
    public readonly bool Alone => Losses >= 2;

    public SlotState State;

    /// <summary>Queued, and not to be handed out before its pause is over. Not kept over a restart.</summary>
    public bool Resting;

    /// <summary>It may be handed out.</summary>
    public readonly bool IsWaiting => State == SlotState.Queued && !Resting;

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
