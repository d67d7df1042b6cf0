using System.Globalization;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Spawning;

/// <summary>Ends everything that descends from this process, whatever session or group it went to.</summary>
internal static class ProcessTree
{
    /// <summary>Kills in rounds until nothing is left: a process may fork between being listed and being killed.</summary>
    public static void KillDescendants()
    {
        var self = Libc.GetPid();
        var stop = Environment.TickCount64 + 10_000;
        while (Environment.TickCount64 < stop)
        {
            var found = Descendants(self);
            foreach (var pid in found)
                _ = Libc.Kill(pid, Libc.SIGKILL);
            if (found.Count == 0)
                return;
            Thread.Sleep(5);
        }
    }

    /// <summary>Whether there is such a process that has not ended; a zombie has.</summary>
    public static bool IsAlive(int pid) => TryReadParent($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}", out _);

    /// <summary>Living descendants (zombies are as good as gone) of a process.</summary>
    public static List<int> Descendants(int root)
    {
        var parents = new Dictionary<int, int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && TryReadParent(directory, out var parent))
            {
                parents[pid] = parent;
            }
        }

        var found = new List<int>();
        foreach (var pid in parents.Keys)
        {
            var ancestor = pid;
            var steps = 0;
            while (parents.TryGetValue(ancestor, out ancestor) && steps++ < parents.Count)
            {
                if (ancestor != root)
                    continue;
                found.Add(pid);
                break;
            }
        }

        return found;
    }

    // /proc/<pid>/stat: pid (name, which may hold anything) state ppid ...
    private static bool TryReadParent(string directory, out int parent)
    {
        parent = 0;
        try
        {
            var stat = File.ReadAllText(Path.Combine(directory, "stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is not ("Z" or "X") && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out parent);
        }
        catch (IOException)
        {
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}
