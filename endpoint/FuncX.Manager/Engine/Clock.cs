namespace FuncX.Manager.Engine;

/// <summary>The wall clock in the wire's unit.</summary>
internal static class Clock
{
    public static long UnixMicroseconds => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) / 10;
}
