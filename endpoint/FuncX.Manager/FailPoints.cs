using System.Globalization;
using FuncX.Manager.Interop;

namespace FuncX.Manager;

/// <summary>Places where a test may have the process die or stand still.</summary>
internal enum FailPoint
{
    None,
    BeforeWorkerSend,
    AfterWorkerSend,
    BeforeResultSend,
    AfterResultSend,

    /// <summary>A worker has been told which tasks to forget, and what it has taken up meanwhile is not known yet.</summary>
    AfterSkip,
}

/// <summary>
/// <c>FUNCX_FAILPOINT=NAME[:N[:stop]]</c>: at the Nth passage of the named point the process kills itself, as kill -9 would, or stops until somebody has it go on
/// (SIGSTOP, SIGCONT). Without the variable a passage costs one test of a constant.
/// </summary>
internal static class FailPoints
{
    private static readonly FailPoint s_point = Read(out s_left, out s_signal);
    private static readonly bool s_armed = s_point != FailPoint.None;
    private static int s_left;
    private static int s_signal;

    public static void Pass(FailPoint point)
    {
        if (s_armed && point == s_point && Interlocked.Decrement(ref s_left) == 0)
            _ = Libc.Kill(Libc.GetPid(), s_signal);
    }

    private static FailPoint Read(out int passages, out int signal)
    {
        passages = 1;
        signal = Libc.SIGKILL;
        var parts = (Environment.GetEnvironmentVariable("FUNCX_FAILPOINT") ?? "").Split(':');
        if (parts.Length == 3 && string.Equals(parts[2], "stop", StringComparison.Ordinal))
            signal = Libc.SIGSTOP;
        if (parts.Length > 1 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var given))
            passages = given;
        return parts[0] switch
        {
            "before-worker-send" => FailPoint.BeforeWorkerSend,
            "after-worker-send" => FailPoint.AfterWorkerSend,
            "before-result-send" => FailPoint.BeforeResultSend,
            "after-result-send" => FailPoint.AfterResultSend,
            "after-skip" => FailPoint.AfterSkip,
            _ => FailPoint.None,
        };
    }
}
