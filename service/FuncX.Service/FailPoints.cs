using System.Globalization;
using System.Runtime.InteropServices;

namespace FuncX.Service;

/// <summary>
/// Named places where a test may have the process die: <c>FUNCX_FAILPOINT=NAME[:N]</c> kills it with SIGKILL at the Nth passage. Unless the variable is
/// set a passage costs a test of a constant.
/// </summary>
public static partial class FailPoints
{
    private const int Kill = 9;

    private static readonly string? Chosen;
    private static readonly long At = 1;
    private static long _passed;

    static FailPoints()
    {
        var text = Environment.GetEnvironmentVariable("FUNCX_FAILPOINT");
        if (string.IsNullOrEmpty(text))
            return;
        var colon = text.IndexOf(':');
        Chosen = colon < 0 ? text : text[..colon];
        if (colon >= 0 && (!long.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out At) || At < 1))
            throw new InvalidOperationException($"FUNCX_FAILPOINT is '{text}'; it must be NAME or NAME:N with N from 1.");
    }

    /// <summary>Whether any is chosen: what only a fail point wants to know is not looked for otherwise.</summary>
    public static bool Armed => Chosen is not null;

    /// <summary>Marks a passage.</summary>
    public static void Pass(string name)
    {
        if (Chosen is null || Chosen != name)
            return;
        if (Interlocked.Increment(ref _passed) == At)
            _ = Signal(Environment.ProcessId, Kill);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
