using System.ComponentModel;
using System.Diagnostics;

namespace FuncX.Manager.Launching;

/// <summary>Asks launchers, and the scheduler, what they are, know and can do.</summary>
internal static class LauncherProbe
{
    private const int MostCharacters = 4_096;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>What a program prints for <c>--version</c>; null: it is not there, or does not answer.</summary>
    public static string? Version(string program) => Ask(program, "--version");

    /// <summary>What a program prints, on stdout and then on stderr; null: it is not there, or does not answer.</summary>
    public static string? Ask(string program, params string[] arguments) => Run(program, arguments) is (_, { } text) ? text : null;

    /// <summary>Why a program does not end well; empty: it does.</summary>
    public static string Try(string program, params string[] arguments) => Run(program, arguments) switch
    {
        null => "no answer",
        (0, _) => "",
        var (code, text) => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) is [_, ..] lines ? string.Join(" / ", lines.Take(4)) : $"exit code {code}",
    };

    private static (int Code, string Text)? Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            if (process.WaitForExit(s_limit) && Task.WaitAll([output, errors], s_limit))
            {
                var text = output.Result + errors.Result;
                return (process.ExitCode, text.Length > MostCharacters ? text[..MostCharacters] : text);
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
