namespace FuncX.Manager.Pools;

/// <summary>How far ahead a worker is fed. Pure.</summary>
internal static class FeedPolicy
{
    /// <summary>Microseconds of work that a worker may have before it.</summary>
    public const int AheadMicroseconds = 1500;

    /// <summary>Most tasks that a worker may have before it.</summary>
    public const int MostTasks = 512;

    /// <summary>A task counts as this much at least: its way through the sockets.</summary>
    public const int LeastMicroseconds = 2;

    /// <summary>May one more task be sent to this worker?</summary>
    /// <param name="outstanding">Tasks it has.</param>
    /// <param name="pendingMicroseconds">Their estimates together.</param>
    /// <param name="estimateMicroseconds">The new one's.</param>
    /// <param name="workerWindow">What the worker said it takes ahead.</param>
    public static bool HasRoom(int outstanding, long pendingMicroseconds, int estimateMicroseconds, int workerWindow) =>
        outstanding == 0
        || (outstanding < Math.Min(workerWindow, MostTasks)
            && pendingMicroseconds + Math.Max(estimateMicroseconds, LeastMicroseconds) <= AheadMicroseconds);

    /// <summary>One worker's share of a queue, so that the first one asked does not empty it before the others.</summary>
    public static int Share(int queued, int workers) => workers <= 1 ? queued : (queued + workers - 1) / workers;
}
