using System.Globalization;

namespace FuncX.Providers.Local;

/// <summary>
/// One process of this machine, told apart from a later one of the same number by when it started (clock ticks since boot, field 22 of
/// <c>/proc/PID/stat</c>, proc(5)).
/// </summary>
internal readonly record struct ProcessRecord(int Pid, long StartTicks)
{
    /// <summary>The process of that number, unless there is none or it is a zombie.</summary>
    public static ProcessRecord? Find(int pid) => Find(pid, out _);

    /// <summary>The same with the session it is in; that of a detached program has its own number.</summary>
    public static ProcessRecord? Find(int pid, out int session)
    {
        session = 0;
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        // The name in parentheses may hold spaces and parentheses: what follows begins after the last one.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields.Length > 19 && fields[0] is not ("Z" or "X") && int.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out session) && long.TryParse(fields[19], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            ? new ProcessRecord(pid, ticks)
            : null;
    }

    /// <summary>Whether this very process still runs.</summary>
    public bool IsAlive => Find(Pid) == this;
}
