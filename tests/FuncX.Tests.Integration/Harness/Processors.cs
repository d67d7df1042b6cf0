using System.Globalization;

namespace FuncX.Tests.Integration.Harness;

internal static class Processors
{
    /// <summary>Those that this process may use, and so whatever it starts.</summary>
    public static IReadOnlyList<int> Ours { get; } =
    [
        .. File.ReadLines("/proc/self/status").Single(static line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split(':')[1].Trim().Split(',')
            // As the kernel writes them: 0-3,8.
            .Select(static range => range.Split('-').Select(static number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray())
            .SelectMany(static range => Enumerable.Range(range[0], range[^1] - range[0] + 1)),
    ];
}
