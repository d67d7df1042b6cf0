namespace FuncX.Endpoint.Dispatch;

/// <summary>How many bytes of results the process holds in memory, readable from any thread.</summary>
public sealed class ResultRoom
{
    /// <summary>Above this no task is dispatched.</summary>
    public const long DispatchLimit = 64 << 20;

    /// <summary>Above this nothing more is read from managers.</summary>
    public const long ReadLimit = 256 << 20;

    private long _bytes;

    public long Bytes => Volatile.Read(ref _bytes);

    public bool IsFull => Bytes > ReadLimit;

    public void Add(long bytes) => Interlocked.Add(ref _bytes, bytes);
}
