using System.Globalization;

namespace FuncX.Bench.Footprint;

/// <summary>Memory of a process as <c>/proc/PID/smaps_rollup</c> tells it. Private: pages that no other process has mapped, of files too.</summary>
internal readonly record struct MemoryUse(long PrivateBytes, long AnonymousBytes, long ResidentBytes)
{
    public static MemoryUse Of(int pid)
    {
        var kilobytes = File.ReadLines($"/proc/{pid}/smaps_rollup").Skip(1)
            .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(static field => field[0], static field => long.Parse(field[1], CultureInfo.InvariantCulture), StringComparer.Ordinal);
        return new MemoryUse((kilobytes["Private_Clean:"] + kilobytes["Private_Dirty:"]) * 1024, kilobytes["Anonymous:"] * 1024, kilobytes["Rss:"] * 1024);
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{PrivateBytes / 1e6:0.0} MB private ({AnonymousBytes / 1e6:0.0} of it no file's), {ResidentBytes / 1e6:0.0} MB resident");
}
