using System.Globalization;
using FuncX.Manager.Interop;

namespace FuncX.Manager;

/// <summary>Places where a test may have the process die.</summary>
internal enum FailPoint
{
    None,
    BeforeWorkerSend,
    AfterWorkerSend,
    BeforeResultSend,
    AfterResultSend,
}

/// <summary>
/// <c>FUNCX_FAILPOINT=NAME[:N]</c>: at the Nth passage of the named point the process kills itself, as kill -9 would. Without the variable a
/// passage costs one test of a constant.
/// </summary>
internal static class FailPoints
{
    private static readonly FailPoint s_point = Read(out s_left);
    private static readonly bool s_armed = s_point != FailPoint.None;
    private static int s_left;

    public static void Pass(FailPoint point)
    {
        if (s_armed && point == s_point && Interlocked.Decrement(ref s_left) == 0)
            _ = Libc.Kill(Libc.GetPid(), Libc.SIGKILL);
    }

    private static FailPoint Read(out int passages)
    {
        passages = 1;
        var parts = (Environment.GetEnvironmentVariable("FUNCX_FAILPOINT") ?? "").Split(':');
        if (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var given))
            passages = given;
        return parts[0] switch
        {
            "before-worker-send" => FailPoint.BeforeWorkerSend,
            "after-worker-send" => FailPoint.AfterWorkerSend,
            "before-result-send" => FailPoint.BeforeResultSend,
            "after-result-send" => FailPoint.AfterResultSend,
            _ => FailPoint.None,
        };
    }
}
