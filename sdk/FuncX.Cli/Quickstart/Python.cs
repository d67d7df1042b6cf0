using System.ComponentModel;
using System.Diagnostics;

namespace FuncX.Cli.Quickstart;

/// <summary>The Python interpreter that quickstart's workers use.</summary>
internal static class Python
{
    private const string Install =
        "They need python3 (3.8 or newer) with its standard library. "
        + "Install it: apt-get install python3 (Debian, Ubuntu), dnf install python3 (Fedora, RHEL), zypper install python3 (SUSE).";

    /// <summary>The path and version of <c>python3</c>.</summary>
    /// <exception cref="UsageException">There is none, or it lacks what workers need; says what to install.</exception>
    public static async Task<(string Path, string Version)> FindAsync(CancellationToken cancellation)
    {
        const string probe = "import sys, json, pickle, socket, mmap, struct; assert sys.version_info >= (3, 8), sys.version; print(sys.executable); print('.'.join(map(str, sys.version_info[:3])))";
        var start = new ProcessStartInfo("python3") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(probe);
        try
        {
            using var python = Process.Start(start)!;
            var output = python.StandardOutput.ReadToEndAsync(cancellation);
            var error = python.StandardError.ReadToEndAsync(cancellation);
            await python.WaitForExitAsync(cancellation);
            if (python.ExitCode != 0)
                throw new UsageException($"python3 was found but does not serve: {(await error).Trim().Split('\n')[^1]}. {Install}");
            var lines = (await output).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return lines.Length == 2 ? (lines[0], lines[1]) : throw new UsageException($"python3 was found but answers '{await output}'. {Install}");
        }
        catch (Win32Exception)
        {
            throw new UsageException($"python3 was not found in PATH. {Install}");
        }
    }
}
