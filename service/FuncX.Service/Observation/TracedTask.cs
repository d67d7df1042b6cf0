using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Observation;

/// <summary>A task that ended and becomes a trace: its outcome with the time of each hop. Times are Unix microseconds, 0 unknown.</summary>
public readonly record struct TracedTask(TaskId Task, int Function, int Endpoint, long SubmitChunk, int SubmitOffset, int SubmitBytes, long ServiceCommitted, TaskResult Result)
{
    public long ResultCommitted { get; init; }
}
