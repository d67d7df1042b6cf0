using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>A task as it came from the service, its numbers already the endpoint's own.</summary>
public struct TaskArrival
{
    public TaskId Task;
    public ushort Attempt;
    public byte Priority;
    public bool Alone;
    public uint Epoch;
    public uint ServiceTicket;
    public int Function;
    public int Owner;

    /// <summary>Number in <see cref="Requirements"/>, 0 none.</summary>
    public int Requirement;

    /// <summary>Of all its frames.</summary>
    public int Bytes;

    /// <summary>Unix microseconds, 0 none.</summary>
    public long Deadline;

    /// <summary>Milliseconds after which it is ended, 0: it may take as long as it likes.</summary>
    public uint Walltime;
}
