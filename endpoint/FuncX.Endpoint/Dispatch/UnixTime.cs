namespace FuncX.Endpoint.Dispatch;

/// <summary>Unix microseconds, the time on every wire here.</summary>
public static class UnixTime
{
    public static long Microseconds(this TimeProvider time) => (time.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks) / 10;
}
