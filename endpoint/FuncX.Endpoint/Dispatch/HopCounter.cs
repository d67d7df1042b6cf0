using FuncX.Wire;

namespace FuncX.Endpoint.Dispatch;

/// <summary>The counters behind <see cref="HopCounts"/>. Each field has one writer at a time; readers may see one a moment old.</summary>
public sealed class HopCounter
{
    public long TasksReceived;
    public long TaskBytesReceived;
    public long TasksSent;
    public long FunctionsSent;
    public long ResultsReceived;
    public long ResultBytesReceived;
    public long ResultsSent;
    public long ResultsCommitted;
    private readonly long[] _outcomes = new long[(int)TaskOutcome.Expired + 1];
    private long _bytesCopied;

    public void Copied(long bytes) => Interlocked.Add(ref _bytesCopied, bytes);

    /// <summary>A result for the service has this outcome.</summary>
    public void Ended(TaskOutcome outcome) => _outcomes[(int)outcome]++;

    /// <summary>How many results had it.</summary>
    public long Ends(TaskOutcome outcome) => Volatile.Read(ref _outcomes[(int)outcome]);

    public HopCounts Read() => new()
    {
        TasksReceived = TasksReceived,
        TaskBytesReceived = TaskBytesReceived,
        TasksSent = TasksSent,
        FunctionsSent = FunctionsSent,
        ResultsReceived = ResultsReceived,
        ResultBytesReceived = ResultBytesReceived,
        ResultsFailed = _outcomes.Sum() - Ends(TaskOutcome.Value) - Ends(TaskOutcome.AttemptLost),
        AttemptsLost = Ends(TaskOutcome.AttemptLost),
        ResultsSent = ResultsSent,
        ResultsCommitted = ResultsCommitted,
        BytesCopied = Volatile.Read(ref _bytesCopied),
        BytesAllocated = GC.GetTotalAllocatedBytes(),
    };
}
