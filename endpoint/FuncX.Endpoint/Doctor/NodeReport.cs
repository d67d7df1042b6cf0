using System.Globalization;
using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>What one node has said.</summary>
internal sealed record NodeReport
{
    public required string Node { get; init; }

    /// <summary>Why state_dir cannot be written there; empty: it can.</summary>
    public required string StateProblem { get; init; }

    /// <summary>Null: it did not say.</summary>
    public required Version? Glibc { get; init; }

    /// <summary>How far the node's clock is before ours, and how long the connection took; null: none was made.</summary>
    public required TimeSpan? Ahead { get; init; }

    /// <summary>Where it reached us, as <c>host/port</c>.</summary>
    public required IReadOnlyList<string> Reached { get; init; }

    /// <summary>Where it did not, and why.</summary>
    public required IReadOnlyList<(string Target, string Reason)> Unreached { get; init; }

    /// <summary>Null where workers need none.</summary>
    public required PythonAnswer? Python { get; init; }

    /// <summary>Reads what <see cref="NodeProbe"/> has printed; null: it has not come to its end.</summary>
    public static NodeReport? Parse(string text, WorkersConfiguration workers)
    {
        var output = MarkedOutput.Parse(text);
        if (output.Find("done") is not { } done || output.Find("node") is not { } node)
            return null;
        var reached = output.All("reached").Select(static part => part.Value.Split(' ')).ToList();
        int? exitCode = int.TryParse(done.Value, CultureInfo.InvariantCulture, out var code) && code != TimedOut ? code : null;
        return new NodeReport
        {
            Node = node.Value,
            StateProblem = output.Find("state") is { } state ? state.Value : "it did not say",
            Glibc = output.Find("glibc")?.Value.Split(' ') is [_, var version] && Version.TryParse(version, out var number) ? number : null,
            Ahead = reached.Count > 0 && long.TryParse(reached[0][^1], CultureInfo.InvariantCulture, out var milliseconds) ? TimeSpan.FromMilliseconds(milliseconds) : null,
            Reached = [.. reached.Select(static words => words[0])],
            Unreached = [.. output.All("unreached").Select(static part => part.Value.Split(' ', 2)).Select(static words => (words[0], words.Length > 1 ? words[1] : ""))],
            Python = workers.Simulate ? null : PythonProbe.Read(output, exitCode, workers),
        };
    }

    // What timeout(1) ends with when it had to end something.
    private const int TimedOut = 124;
}
