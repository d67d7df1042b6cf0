using System.Globalization;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Pools;

/// <summary>The memory of one worker and of what it started, and whether it was too much.</summary>
internal sealed unsafe class WorkerMemory
{
    /// <summary>The type of the failure, as a task's outcome has it.</summary>
    public const string Failure = "MemoryLimitExceeded";

    public const long WatchMicroseconds = 100_000;

    private const int BackstopFactor = 2;
    private const int MostDepth = 64;

    private readonly long _bytes;
    private readonly string _means;
    private readonly int _pid;
    private readonly string? _group;
    private long _kills;

    /// <param name="group">Directory of its control group; null: it is watched.</param>
    public WorkerMemory(long bytes, string means, int pid, string? group)
    {
        (_bytes, _means, _pid, _group) = (bytes, means, pid, group);
        _kills = Kills();
    }

    public bool IsWatched => _group is null;

    /// <summary>One that is looked at, with the system's own limit behind it: twice as much, since that counts what is reserved too.</summary>
    public static WorkerMemory Watch(long bytes, int pid)
    {
        var limit = stackalloc ulong[] { (ulong)bytes * BackstopFactor, (ulong)bytes * BackstopFactor };
        _ = Libc.PrLimit(pid, Libc.RLIMIT_DATA, limit, null);
        return new WorkerMemory(bytes, MemoryLimits.Watched, pid, null);
    }

    /// <summary>What a worker that is watched has too much, in words; null: it has not.</summary>
    public string? Excess()
    {
        var used = Used(_pid, 0);
        return used <= _bytes ? null : Words($"used {used} bytes of memory");
    }

    /// <summary>In words, when the kernel has killed something of it for its memory since the last call; else null.</summary>
    public string? TakeKill()
    {
        var kills = Kills();
        if (kills == _kills)
            return null;
        _kills = kills;
        return Words("was killed by the kernel for its memory");
    }

    private string Words(string what) => string.Create(CultureInfo.InvariantCulture, $"{what}; workers.memory_per_worker is {_bytes} bytes ({_means})");

    // memory.events of version 2 and memory.oom_control of version 1 both have a line "oom_kill N".
    private long Kills()
    {
        if (_group is null)
            return 0;
        var path = Path.Combine(_group, "memory.events");
        try
        {
            foreach (var line in File.ReadAllLines(File.Exists(path) ? path : Path.Combine(_group, "memory.oom_control")))
            {
                if (line.StartsWith("oom_kill ", StringComparison.Ordinal))
                    return long.Parse(line.AsSpan(9), NumberStyles.None, CultureInfo.InvariantCulture);
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The group is gone, and with it what it knew.
        }

        return 0;
    }

    /// <summary>Memory of a process that is no file's.</summary>
    private static long Resident(int pid)
    {
        long kibibytes = 0;
        try
        {
            foreach (var line in File.ReadLines($"/proc/{pid}/status"))
            {
                if (line.StartsWith("RssAnon:", StringComparison.Ordinal) || line.StartsWith("RssShmem:", StringComparison.Ordinal))
                    kibibytes += long.Parse(line.AsSpan(line.IndexOf(':', StringComparison.Ordinal) + 1).Trim()[..^3], NumberStyles.None, CultureInfo.InvariantCulture);
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return 0;
        }

        return kibibytes * 1024;
    }

    // From parent to child: to look through all processes of the node ten times a second for each worker would cost more than many tasks do.
    private static long Used(int pid, int depth)
    {
        var used = Resident(pid);
        try
        {
            foreach (var thread in Directory.EnumerateDirectories($"/proc/{pid}/task"))
            {
                foreach (var child in File.ReadAllText(Path.Combine(thread, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
                {
                    if (depth < MostDepth && int.TryParse(child, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                        used += Used(number, depth + 1);
                }
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // It has ended, or became somebody else's.
        }

        return used;
    }
}
