namespace FuncX.Service.Hosting;

/// <summary>Unix microseconds, the only form of time that is stored or sent.</summary>
public static class UnixTime
{
    public static long UnixMicroseconds(this TimeProvider clock) => (clock.GetUtcNow().Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>For people: ISO 8601 in UTC, to the second.</summary>
    public static string Format(long microseconds) =>
        DateTime.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
}
