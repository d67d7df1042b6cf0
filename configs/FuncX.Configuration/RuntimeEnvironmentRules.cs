namespace FuncX.Configuration;

/// <summary>What <see cref="RuntimeEnvironment"/> decides from; it does the rest.</summary>
internal static class RuntimeEnvironmentRules
{
    private static readonly string[] _questions = ["--help", "-h", "-?", "/h", "/?", "--version"];

    /// <summary>False when somebody has begun to watch this process from its start, or when it only answers a question about itself.</summary>
    /// <param name="variable">The environment.</param>
    /// <param name="isDebugged">A debugger is attached.</param>
    /// <param name="arguments">The command line.</param>
    public static bool MayBeginAnew(Func<string, string?> variable, bool isDebugged, IEnumerable<string> arguments) =>
        !isDebugged
        && string.IsNullOrEmpty(variable("DOTNET_STARTUP_HOOKS"))
        && string.IsNullOrEmpty(variable("DOTNET_DiagnosticPorts"))
        && string.IsNullOrEmpty(variable("COMPlus_DiagnosticPorts"))
        && variable("CORECLR_ENABLE_PROFILING") is null or "" or "0"
        && !arguments.Any(_questions.Contains);

    /// <summary>Whether the user has set it himself. The runtime goes on reading <c>COMPlus_X</c>, the older name of <c>DOTNET_X</c>.</summary>
    public static bool IsSet(string name, Func<string, string?> variable) =>
        variable(name) is not null || (name.StartsWith("DOTNET_", StringComparison.Ordinal) && variable($"COMPlus_{name["DOTNET_".Length..]}") is not null);

    /// <summary>
    /// Names of what the runtime has made for debuggers and tracers in the directory for temporary files. That may be shared with other pid namespaces, where the same
    /// process id is somebody else's: the time of the process's start is in the name too.
    /// </summary>
    /// <param name="process">The process id.</param>
    /// <param name="stat">Its /proc/PID/stat; the start is field 22, see proc_pid_stat(5).</param>
    public static IReadOnlyList<string> Sockets(int process, string stat)
    {
        // The second field is the program's name in parentheses, with any blanks and parentheses of its own; the third follows the last of them.
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length < 20)
            return [];
        var start = fields[22 - 3];
        return [$"dotnet-diagnostic-{process}-{start}-socket", $"clr-debug-pipe-{process}-{start}-in", $"clr-debug-pipe-{process}-{start}-out"];
    }
}
