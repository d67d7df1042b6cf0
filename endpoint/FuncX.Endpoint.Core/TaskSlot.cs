using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>Where a task is; it is in exactly one place.</summary>
internal enum TaskPlace : byte
{
    /// <summary>The slot is free.</summary>
    Nowhere = 0,

    /// <summary>In its owner's queue.</summary>
    Queued = 1,

    /// <summary>In the queue of tasks that run alone.</summary>
    QueuedAlone = 2,

    /// <summary>Sent to a manager.</summary>
    AtManager = 3,

    /// <summary>In the queue of tasks that not every node can run, or not yet known to.</summary>
    QueuedDemanding = 4,

    /// <summary>In the list of tasks whose walltime is longer than the blocks with room still last.</summary>
    QueuedLasting = 5,
}

/// <summary>One task at the endpoint. The same two links chain it into whichever list its place means.</summary>
internal struct TaskSlot
{
    public TaskId Task;
    public long Deadline;
    public long Received;
    public long Sent;
    public uint Epoch;
    public uint ServiceTicket;
    public int Function;
    public int Owner;
    public int Manager;
    public int Next;
    public int Previous;
    public int Bytes;
    public int Requirement;
    public uint Walltime;
    public ushort Attempt;
    public byte Priority;
    public TaskPlace Place;
    public bool Alone;
    public bool Cancelled;

    /// <summary>Taken over from a manager's inventory: no payload here, and its answers carry another process's ticket.</summary>
    public bool Adopted;
}
