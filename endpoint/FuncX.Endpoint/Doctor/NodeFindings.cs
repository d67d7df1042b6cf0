using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>What the nodes' reports come to: a finding for each thing that fails, with the nodes where it does.</summary>
internal static class NodeFindings
{
    private const int MostNames = 8;

    /// <param name="needed">The glibc that the manager needs; null: it is not known.</param>
    public static IReadOnlyList<Finding> Of(string check, EndpointConfiguration configuration, IReadOnlyList<NodeReport> reports, Version? needed)
    {
        var found = reports.SelectMany(report => Of(check, configuration, report, needed).Select(finding => (report.Node, Finding: finding))).ToList();
        return [.. found.GroupBy(static one => one.Finding).Select(group => group.Key with { Seen = $"{Names(group.Select(static one => one.Node))}: {group.Key.Seen}" })];
    }

    /// <summary>Nodes for people: a list that a long one ends as a number.</summary>
    public static string Names(IEnumerable<string> nodes)
    {
        var all = nodes.Order(StringComparer.Ordinal).ToList();
        return all.Count <= MostNames ? string.Join(", ", all) : $"{string.Join(", ", all.Take(MostNames))} and {all.Count - MostNames} more";
    }

    private static IEnumerable<Finding> Of(string check, EndpointConfiguration configuration, NodeReport report, Version? needed)
    {
        if (report.StateProblem.Length > 0)
        {
            yield return Finding.Problem(check, $"state_dir {configuration.StateDirectory} cannot be written there: {report.StateProblem}",
                "name a state_dir on a file system that nodes share with this machine and may write");
        }

        if (report.Glibc is { } glibc && needed is not null && glibc < needed)
            yield return Finding.Problem(check, $"glibc is {glibc}, and the manager needs {needed}", GlibcCheck.Cure(needed));
        if (report.Unreached.Count > 0)
        {
            const string Cure = "name the interface in `interfaces` that compute nodes reach, as `ip -br address` lists them";
            var unreached = string.Join(", ", report.Unreached.Select(static one => $"{one.Target.Split('/')[0]} ({one.Reason})"));
            yield return report.Reached.Count > 0
                ? Finding.Warning(check, $"not all addresses of this machine are reached: not {unreached}", $"{Cure}; the others cost each manager time")
                : Finding.Problem(check, $"no address of this machine is reached: {unreached}", $"{Cure}, or ask whether a firewall stands between");
        }

        if (report.Ahead is { } ahead && ahead.Duration() > ClockCheck.Most)
            yield return Finding.Warning(check, $"the clock is {Math.Abs(ahead.TotalSeconds):F0} s {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} this machine's", ClockCheck.Cure);
        if (report.Python is { Problem.Length: > 0 } python)
            yield return Finding.Problem(check, python.Problem, python.Cure);
    }
}
