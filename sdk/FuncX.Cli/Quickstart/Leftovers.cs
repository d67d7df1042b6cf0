using System.Diagnostics;

namespace FuncX.Cli.Quickstart;

/// <summary>
/// Processes whose command line or working directory lies in quickstart's own directory. There are none when all went well; a manager whose endpoint was killed would
/// otherwise wait out its patience.
/// </summary>
internal static class Leftovers
{
    private const int Passes = 10;

    public static void Kill(string directory)
    {
        // Again while there are any: one that was about to die may just have started another.
        for (var pass = 0; pass < Passes && Find(directory) is { Count: > 0 } found; pass++)
            found.ForEach(End);
    }

    private static List<int> Find(string directory)
    {
        var found = new List<int>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), out var id) && id != Environment.ProcessId && BelongsTo(entry, directory))
                found.Add(id);
        }

        return found;
    }

    private static bool BelongsTo(string process, string directory)
    {
        try
        {
            var inside = directory + Path.DirectorySeparatorChar;
            if (File.ReadAllText(Path.Combine(process, "cmdline")).Contains(inside, StringComparison.Ordinal))
                return true;
            var working = new FileInfo(Path.Combine(process, "cwd")).LinkTarget;
            return working is not null && (working == directory || working.StartsWith(inside, StringComparison.Ordinal));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void End(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
            process.WaitForExit(TimeSpan.FromSeconds(2));
        }
        catch (Exception problem) when (problem is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It has ended by itself meanwhile.
        }
    }
}
