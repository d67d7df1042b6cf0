namespace FuncX.Endpoint.Dispatch;

/// <summary>How many bytes of results the process holds in memory, readable from any thread.</summary>
public sealed class ResultRoom
{
    /// <summary>Above this no task is dispatched; of large results as much again, and more, does not count: one that is on its way is no sign that the service takes nothing.</summary>
    private const long DispatchLimit = 64 << 20;
    private const long LargeLimit = 128 << 20;

    /// <summary>Above this nothing more is read from managers.</summary>
    public const long ReadLimit = 256 << 20;

    private long _bytes;
    private long _largeBytes;

    public long Bytes => Volatile.Read(ref _bytes);

    public bool PausesDispatch => Bytes - Math.Min(Volatile.Read(ref _largeBytes), LargeLimit) > DispatchLimit;

    public bool IsFull => Bytes > ReadLimit;

    public void Add(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>The same of a result that does not fit into one message.</summary>
    public void AddLarge(long bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Add(ref _largeBytes, bytes);
    }
}
