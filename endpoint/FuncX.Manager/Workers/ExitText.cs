namespace FuncX.Manager.Workers;

/// <summary>How a process ended, in words.</summary>
internal static class ExitText
{
    /// <param name="code">Exit status, or minus the signal; null: nobody said.</param>
    public static string Of(int? code) => code switch
    {
        null => "in a way nobody reported",
        < 0 => $"of signal {-code} ({Signal(-code.Value)})",
        _ => $"with exit status {code}",
    };

    private static string Signal(int number) => number switch
    {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL: killed, by the kernel when memory ran out or by somebody",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        31 => "SIGSYS",
        _ => "signal",
    };
}
