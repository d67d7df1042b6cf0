using FuncX.Manager.Pools;
using FuncX.Manager.Workers;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>Where a task of this node is.</summary>
internal enum TaskPlace : byte
{
    Free,

    /// <summary>In its owner's queue.</summary>
    Queued,

    /// <summary>Sent to a worker; whether it started only the worker's ring knows.</summary>
    AtWorker,

    /// <summary>Its worker was told to end and has answered; whether the node is told, too, is not known yet (<see cref="InterruptedTasks"/>).</summary>
    Interrupted,
}

/// <summary>
/// One task. Its frame stays in the slab, with this manager's own ticket (the record's slot) and function number in the header; what the
/// endpoint had written there stands here and goes back into the answer.
/// </summary>
internal struct TaskRecord
{
    public TaskId Id;
    public Slab? Slab;
    public int Offset;
    public int Length;
    public OwnerPool? Pool;
    public NodeFunction? Function;
    public WorkerProcess? Worker;
    /// <summary>Which of its worker's tasks it is, from 0.</summary>
    public ulong WorkerNumber;

    public long ReceivedMicroseconds;
    public long DeadlineMicroseconds;
    public uint Ticket;
    public uint FunctionNumber;
    public uint WalltimeMilliseconds;

    /// <summary>How long it probably runs; what its worker's window is counted in.</summary>
    public int EstimateMicroseconds;

    public int Next;
    public int Previous;
    public ushort Attempt;
    public byte Priority;
    public FrameFlags Flags;
    public TaskPlace Place;
}
