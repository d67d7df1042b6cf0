using System.Runtime.InteropServices;

namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// Places where a test can have the process kill itself: <c>FUNCX_FAILPOINT=NAME[:N]</c> sends SIGKILL at the Nth passage (1 when left out). Costs one test of a
/// constant when the variable is not set.
/// </summary>
public static partial class FailPoints
{
    private static readonly string _name = "";
    private static int _left = 1;

    /// <summary>Whether any is chosen: what only a fail point wants to know is not looked for otherwise.</summary>
    public static bool Armed { get; }

    static FailPoints()
    {
        var setting = Environment.GetEnvironmentVariable("FUNCX_FAILPOINT");
        if (string.IsNullOrEmpty(setting))
            return;
        var colon = setting.IndexOf(':');
        _name = colon < 0 ? setting : setting[..colon];
        if (colon >= 0 && (!int.TryParse(setting.AsSpan(colon + 1), out _left) || _left < 1))
            throw new ArgumentException($"FUNCX_FAILPOINT is '{setting}'; it should be NAME or NAME:N with N from 1.");
        Armed = true;
    }

    public static void Pass(string name)
    {
        if (Armed && name == _name && Interlocked.Decrement(ref _left) == 0)
            _ = Kill(Environment.ProcessId, 9);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
