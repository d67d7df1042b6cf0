using System.Globalization;
using FuncX.Manager.Spawning;

namespace FuncX.Manager.Pools;

/// <summary>
/// <c>workers.memory_per_worker</c>: a control group for each place on the node where this process may make some, of version 2 or 1; else the memory of workers is watched,
/// with a limit of the system on their data as backstop for what grows faster than anybody looks.
/// </summary>
internal sealed class MemoryLimits
{
    public const string Watched = "resident size, watched";

    private const string Version2 = "cgroup v2";

    private readonly long _bytes;
    private readonly Dictionary<int, string> _groups = [];
    private readonly string? _parent;

    private MemoryLimits(long bytes, string means, string? parent) => (_bytes, Means, _parent) = (bytes, means, parent);

    /// <summary>How the limit is kept, for people.</summary>
    public string Means { get; }

    public bool UsesGroups => _parent is not null;

    /// <param name="bytes">Of one worker; 0: no limit.</param>
    /// <param name="root">Where the system's directories are; not / in tests.</param>
    public static MemoryLimits Create(long bytes, string root = "/")
    {
        if (bytes <= 0)
            return new MemoryLimits(0, "none", null);
        foreach (var line in ReadLines(Path.Combine(root, "proc/self/cgroup")))
        {
            // hierarchy:controllers:path; version 2 has the number 0 and no controllers.
            var parts = line.Split(':', 3);
            if (parts.Length != 3)
                continue;
            if (parts[0] == "0" && TryVersion2(root, parts[2]) is { } second)
                return new MemoryLimits(bytes, Version2, second);
            if (parts[1].Split(',').Contains("memory", StringComparer.Ordinal) && TryVersion1(root, parts[2]) is { } first)
                return new MemoryLimits(bytes, "cgroup v1", first);
        }

        return new MemoryLimits(bytes, Watched, null);
    }

    /// <summary>Puts a worker under the limit of its place; null: there is none.</summary>
    public WorkerMemory? Limit(int slot, int pid)
    {
        if (_bytes == 0)
            return null;
        return TryGroup(slot, pid) is { } group ? new WorkerMemory(_bytes, Means, pid, group) : WorkerMemory.Watch(_bytes, pid);
    }

    /// <summary>Removes the groups. All that was in them has been killed, and the last of it may still be dying: that long it waits, and no longer than <paramref name="patience"/>.</summary>
    public void Remove(TimeSpan patience)
    {
        var until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        var left = _groups.Values.ToList();
        for (left.RemoveAll(TryRemove); left.Count > 0 && Environment.TickCount64 < until; left.RemoveAll(TryRemove))
            Thread.Sleep(10);
        if (_parent is not null && Means == Version2 && left.Count == 0)
            MoveBack(_parent);
    }

    // This process is in its own group until its parent may have processes again, and that is when no controller is given on.
    private static void MoveBack(string group)
    {
        TryWrite(group, "cgroup.subtree_control", "-memory");
        TryWrite(group, "cgroup.procs", Environment.ProcessId);
        TryRemove(Path.Combine(group, Leaf));
    }

    private static string Leaf => $"funcx-{Environment.ProcessId}-manager";

    // A group with processes in it gives its children no controller: this process and the spawner go to one of their own. Whoever else is there stays, and then this is not to be.
    private static string? TryVersion2(string root, string path)
    {
        var group = Path.Combine(root, "sys/fs/cgroup", path.TrimStart('/'));
        try
        {
            if (!ReadLines(Path.Combine(group, "cgroup.controllers")).Any(static line => line.Split(' ').Contains("memory")))
                return null;
            var own = ProcessTree.Descendants(Environment.ProcessId).Append(Environment.ProcessId).ToHashSet();
            var members = ReadLines(Path.Combine(group, "cgroup.procs")).Select(static line => int.Parse(line, CultureInfo.InvariantCulture)).ToList();
            if (members.Exists(pid => !own.Contains(pid)))
                return null;
            Clean(group);
            var leaf = Directory.CreateDirectory(Path.Combine(group, Leaf)).FullName;
            foreach (var pid in members)
                Write(leaf, "cgroup.procs", pid);
            Write(group, "cgroup.subtree_control", "+memory");
            return group;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    private static string? TryVersion1(string root, string path)
    {
        var group = Path.Combine(root, "sys/fs/cgroup/memory", path.TrimStart('/'));
        try
        {
            if (!File.Exists(Path.Combine(group, "memory.limit_in_bytes")))
                return null;
            Clean(group);
            var probe = Directory.CreateDirectory(Path.Combine(group, Leaf)).FullName;
            Directory.Delete(probe);
            return group;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Removes what managers that were killed have left.</summary>
    private static void Clean(string group)
    {
        foreach (var left in Directory.EnumerateDirectories(group, "funcx-*-*"))
        {
            if (int.TryParse(Path.GetFileName(left).Split('-')[1], NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && !Directory.Exists($"/proc/{pid}"))
                TryRemove(left);
        }
    }

    private string? TryGroup(int slot, int pid)
    {
        if (_parent is null)
            return null;
        try
        {
            if (!_groups.TryGetValue(slot, out var group))
            {
                group = Directory.CreateDirectory(Path.Combine(_parent, $"funcx-{Environment.ProcessId}-{slot}")).FullName;
                if (Means == Version2)
                {
                    Write(group, "memory.max", _bytes);
                    TryWrite(group, "memory.swap.max", 0);
                    TryWrite(group, "memory.oom.group", 1);
                }
                else
                {
                    Write(group, "memory.limit_in_bytes", _bytes);
                    TryWrite(group, "memory.memsw.limit_in_bytes", _bytes);
                }

                _groups.Add(slot, group);
            }

            Write(group, "cgroup.procs", pid);
            return group;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // It has ended already, or somebody has taken the right away: watched it is.
            return null;
        }
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // In one write, and the file is there: these are no files.
    private static void Write(string group, string file, object value)
    {
        using var stream = new FileStream(Path.Combine(group, file), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        stream.Write(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{value}")));
    }

    private static void TryWrite(string group, string file, object value)
    {
        try
        {
            Write(group, file, value);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // Not every kernel has it.
        }
    }

    /// <summary>False: something is still in it.</summary>
    private static bool TryRemove(string group)
    {
        try
        {
            Directory.Delete(group);
            return true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return !Directory.Exists(group);
        }
    }
}
