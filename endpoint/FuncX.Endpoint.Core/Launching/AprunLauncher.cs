using System.Globalization;
using System.Text.RegularExpressions;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>Cray's aprun (ALPS), which names nodes by number and takes no file of hosts.</summary>
public sealed partial class AprunLauncher : ILauncher
{
    public string Name => "aprun";

    public bool SparesSurvivors => false;

    public IEnumerable<string> HostLines(WorldLaunch world) => [];

    // -b: ALPS would copy the program to the nodes, and the copy would miss the workers that lie beside it. No depth (-d): a rank that is bound to nothing has the node, and how many
    // processors that has is not known where aprun is called.
    public IReadOnlyList<string> CommandLine(WorldLaunch world) =>
    [
        "aprun", "-b", "-n", Number(world.Nodes.Count), "-N", "1", "-cc", "none", "-L", string.Join(',', Ranges(world.Nodes.Select(NumberOf).Order())),
        .. world.Arguments, .. world.Command,
    ];

    private static long NumberOf(string node) => NodeName().Match(node) is { Success: true } match && long.TryParse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new FormatException($"aprun names nodes by number, and '{node}' is neither a number nor nid with one");

    // 3, 4, 5, 9 as 3-5, 9: a list of thousands of nodes has to fit into the arguments.
    private static IEnumerable<string> Ranges(IEnumerable<long> numbers)
    {
        long? first = null;
        var last = 0L;
        foreach (var number in numbers)
        {
            if (first is not null && number <= last + 1)
            {
                last = number;
                continue;
            }

            if (first is { } begun)
                yield return Range(begun, last);
            first = last = number;
        }

        if (first is { } open)
            yield return Range(open, last);
    }

    private static string Range(long first, long last) => first == last ? $"{first}" : $"{first}-{last}";

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("^(?:nid)?0*([0-9]{1,9})$", RegexOptions.CultureInvariant)]
    private static partial Regex NodeName();
}
