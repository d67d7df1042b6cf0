using System.Globalization;

namespace FuncX.Manager.Launching;

/// <summary>What the controller says of the job that this process runs in: how long it still has, and which nodes it has left (with <c>--no-kill</c> it goes on without a node that died).</summary>
/// <param name="Left">Null: without a limit, or not known.</param>
internal sealed record SlurmJobView(TimeSpan? Left, IReadOnlyList<string> Nodes)
{
    /// <summary>Null: it does not answer.</summary>
    public static SlurmJobView? Ask(string jobId) => LauncherProbe.Ask("squeue", "-h", "-j", jobId, "-o", "%L %N") is { } answer ? Parse(answer) : null;

    /// <summary>Reads the line that squeue prints; null when it is none.</summary>
    public static SlurmJobView? Parse(string answer)
    {
        try
        {
            return answer.Split('\n')[0].Trim().Split(' ') is [var left, var nodes] && left.Length > 0 && nodes.Length > 0 ? new SlurmJobView(ParseLeft(left), HostList.Expand(nodes)) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    // [days-][[hours:]minutes:]seconds, or a word: UNLIMITED, NOT_SET, INVALID.
    private static TimeSpan? ParseLeft(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var days = 0;
        if (dash >= 0 && !int.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out days))
            return null;
        var seconds = 0L;
        foreach (var part in text[(dash + 1)..].Split(':'))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return null;
            seconds = (seconds * 60) + number;
        }

        return TimeSpan.FromDays(days) + TimeSpan.FromSeconds(seconds);
    }
}
