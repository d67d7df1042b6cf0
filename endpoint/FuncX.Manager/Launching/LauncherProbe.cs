using System.ComponentModel;
using System.Diagnostics;

namespace FuncX.Manager.Launching;

/// <summary>Asks launchers what they are.</summary>
internal static class LauncherProbe
{
    private const int MostCharacters = 4_096;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>What a program prints for <c>--version</c>; null: it is not there, or does not answer.</summary>
    public static string? Version(string program)
    {
        var start = new ProcessStartInfo(program, ["--version"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            if (process.WaitForExit(s_limit) && Task.WaitAll([output, errors], s_limit))
            {
                var text = output.Result + errors.Result;
                return text.Length > MostCharacters ? text[..MostCharacters] : text;
            }

            process.Kill(entireProcessTree: true);
            return null;
        }
        catch (Exception problem) when (problem is Win32Exception or InvalidOperationException or AggregateException)
        {
            return null;
        }
    }
}
