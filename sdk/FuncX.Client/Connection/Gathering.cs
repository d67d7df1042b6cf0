namespace FuncX.Client.Connection;

/// <summary>
/// Has messages of one gRPC stream leave together. The library flushes after each of them, so that each is an entry in the connection's queue, a hop to another
/// thread, a system call and a frame that the service pays for once more. Benchmark: bench throughput, batch1_stream_per_s.
/// </summary>
internal sealed class Gathering
{
    private static readonly AsyncLocal<Gathering?> s_opening = new();

    /// <summary>The stream that is being opened; null for every other call.</summary>
    public static Gathering? Opening => s_opening.Value;

    /// <summary>What is written now waits for the next message. For the one who writes, before each message.</summary>
    public bool MoreComes { get; set; }

    /// <summary>Opens the stream whose messages these are: from here to the handler that has the request's content there is no other way.</summary>
    public TCall Open<TCall>(Func<TCall> call)
    {
        s_opening.Value = this;
        try
        {
            return call();
        }
        finally
        {
            s_opening.Value = null;
        }
    }
}
