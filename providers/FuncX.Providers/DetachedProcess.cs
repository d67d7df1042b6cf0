using System.Diagnostics;

namespace FuncX.Providers;

/// <summary>Starts programs that outlive the one that started them: in a session of their own, with their output in a file.</summary>
public static class DetachedProcess
{
    // Opens the log and becomes the program: the process id does not change on the way, so the id that Start returns is the program's own.
    // The words after it are passed as arguments and never read as shell text. setsid does not fork, since a child of ours leads no group.
    // The umask it would have had is told to it: our files are nobody else's business, what a user's function writes is the user's.
    private const string Script = """FUNCX_UMASK=${FUNCX_UMASK:-$(umask)}; export FUNCX_UMASK; umask 077; log=$1; shift; exec setsid "$@" </dev/null >>"$log" 2>&1""";

    private const string Name = "detach";

    /// <summary>Starts a program.</summary>
    /// <param name="log">Absolute path; stdout and stderr are appended, mode 0600 when it is made.</param>
    /// <param name="environment">Changes the environment, which begins as this process's without its secrets.</param>
    /// <returns>The process; the caller disposes it. It is not ended by that.</returns>
    /// <exception cref="BlockProviderException">It could not be started.</exception>
    public static Process Start(string program, IEnumerable<string> arguments, string log, string workingDirectory, Action<IDictionary<string, string?>>? environment = null)
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, WorkingDirectory = workingDirectory };
        foreach (var argument in (string[])["-c", Script, Name, log, program])
            start.ArgumentList.Add(argument);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (var name in start.Environment.Keys.Where(IsSecret).ToArray())
            start.Environment.Remove(name);
        environment?.Invoke(start.Environment);
        try
        {
            return Process.Start(start) ?? throw new BlockProviderException($"{program} could not be started");
        }
        catch (Exception problem) when (problem is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            throw new BlockProviderException($"{program} could not be started: {problem.Message}", problem);
        }
    }

    /// <summary>Whether these are the arguments of a process of <see cref="Start"/> that has not become its program yet.</summary>
    public static bool IsStarting(IReadOnlyList<string> arguments) =>
        arguments.Count > 3 && (arguments[0] == "setsid" || (arguments[1] == "-c" && arguments[2] == Script && arguments[3] == Name));

    /// <summary>Whether an environment variable of ours holds a secret that no child may see.</summary>
    public static bool IsSecret(string name)
    {
        if (!name.StartsWith("FUNCX_", StringComparison.OrdinalIgnoreCase))
            return false;
        foreach (var word in (string[])["TOKEN", "SECRET", "CREDENTIAL", "PASSWORD", "KEY"])
        {
            if (name.Contains(word, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
