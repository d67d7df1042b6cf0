using System.Globalization;
using System.Text;

namespace FuncX.Cluster;

/// <summary>What runs on this machine, read from <c>/proc</c>.</summary>
public static class ProcessTable
{
    /// <summary>Clock ticks of a second: 100 on every Linux that .NET runs on (<c>sysconf(_SC_CLK_TCK)</c>).</summary>
    public const double TicksPerSecond = 100;

    /// <summary>Every process that this user may look at.</summary>
    public static List<ProcessEntry> Read()
    {
        var entries = new List<ProcessEntry>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Find(pid) is { } entry)
                entries.Add(entry);
        }

        return entries;
    }

    /// <summary>One process, or null when there is none of that number.</summary>
    public static ProcessEntry? Find(int pid)
    {
        var text = Encoding.UTF8.GetString(ReadBytes($"/proc/{pid}/stat"));
        // The name stands in parentheses and may hold both spaces and parentheses.
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var close = text.LastIndexOf(')');
        if (open < 0 || close < open)
            return null;
        var fields = text[(close + 2)..].Split(' ');
        return new ProcessEntry(
            new ProcessIdentity(pid, ulong.Parse(fields[19], CultureInfo.InvariantCulture)),
            int.Parse(fields[1], CultureInfo.InvariantCulture),
            text[(open + 1)..close],
            fields[0][0],
            Number(fields[11]) + Number(fields[12]),
            Number(fields[13]) + Number(fields[14]));
    }

    /// <summary>The process and everything below it.</summary>
    public static List<ProcessEntry> Tree(int root)
    {
        var byParent = Read().ToLookup(static entry => entry.Parent);
        var found = new List<ProcessEntry>();
        if (Find(root) is { } first)
            found.Add(first);
        for (var i = 0; i < found.Count; i++)
            found.AddRange(byParent[found[i].Pid]);
        return found;
    }

    /// <summary>Every process but this one that names <paramref name="directory"/> in its arguments, environment or working directory.</summary>
    public static List<ProcessEntry> Mentioning(string directory)
    {
        var needle = Encoding.UTF8.GetBytes(directory);
        return [.. Read().Where(entry => entry.Pid != Environment.ProcessId && entry.State is not ('Z' or 'X') && Mentions(entry.Pid, needle, directory))];
    }

    /// <summary>The managers that <see cref="Mentioning"/> finds, whoever their parent is; not their spawners and workers, which come and go.</summary>
    public static IReadOnlyList<ProcessEntry> Managers(string directory)
    {
        var found = Mentioning(directory).Where(static entry => IsManager(entry.Arguments)).ToList();
        // A child that a manager has just forked shows the manager's arguments until it has its own program.
        var pids = found.Select(static entry => entry.Pid).ToHashSet();
        return [.. found.Where(entry => !pids.Contains(entry.Parent))];
    }

    /// <summary>Seconds of processor that the processes used until now, with those of children they waited for.</summary>
    public static double CpuSeconds(IEnumerable<int> pids) =>
        pids.Select(Find).OfType<ProcessEntry>().Sum(static entry => entry.CpuTicks + entry.ReapedCpuTicks) / TicksPerSecond;

    /// <summary>Memory of a running process that is no file's.</summary>
    public static long PrivateBytes(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(static line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>A variable of the environment that a process was started with; null when it has none of that name, or has ended.</summary>
    public static string? Variable(int pid, string name) => Variables(pid).GetValueOrDefault(name);

    /// <summary>The environment that a process was started with; empty when it has ended.</summary>
    public static IReadOnlyDictionary<string, string> Variables(int pid) => Variables(Encoding.UTF8.GetString(ReadBytes($"/proc/{pid}/environ")));

    /// <summary>The same of a text that has each as <c>NAME=VALUE</c>, ended by a zero.</summary>
    public static IReadOnlyDictionary<string, string> Variables(string text) => text.Split('\0')
        .Select(static variable => variable.Split('=', 2))
        .Where(static variable => variable.Length == 2)
        .DistinctBy(static variable => variable[0])
        .ToDictionary(static variable => variable[0], static variable => variable[1], StringComparer.Ordinal);

    internal static byte[] ReadBytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static bool IsManager(IReadOnlyList<string> arguments) =>
        arguments.Count > 0 && arguments[0].EndsWith("funcx-manager", StringComparison.Ordinal) && arguments.Contains("--rendezvous");

    private static bool Mentions(int pid, byte[] needle, string directory)
    {
        if (ReadBytes($"/proc/{pid}/cmdline").AsSpan().IndexOf(needle) >= 0 || ReadBytes($"/proc/{pid}/environ").AsSpan().IndexOf(needle) >= 0)
            return true;
        try
        {
            return new DirectoryInfo($"/proc/{pid}/cwd").LinkTarget?.StartsWith(directory, StringComparison.Ordinal) ?? false;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);
}
