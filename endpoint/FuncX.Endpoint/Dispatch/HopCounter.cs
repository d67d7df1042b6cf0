namespace FuncX.Endpoint.Dispatch;

/// <summary>The counters behind <see cref="HopCounts"/>. Each field has one writer at a time; readers may see one a moment old.</summary>
public sealed class HopCounter
{
    public long TasksReceived;
    public long TaskBytesReceived;
    public long TasksSent;
    public long ResultsReceived;
    public long ResultBytesReceived;
    public long ResultsSent;
    public long ResultsCommitted;
    private long _bytesCopied;

    public void Copied(long bytes) => Interlocked.Add(ref _bytesCopied, bytes);

    public HopCounts Read() => new()
    {
        TasksReceived = TasksReceived,
        TaskBytesReceived = TaskBytesReceived,
        TasksSent = TasksSent,
        ResultsReceived = ResultsReceived,
        ResultBytesReceived = ResultBytesReceived,
        ResultsSent = ResultsSent,
        ResultsCommitted = ResultsCommitted,
        BytesCopied = Volatile.Read(ref _bytesCopied),
        BytesAllocated = GC.GetTotalAllocatedBytes(),
    };
}
