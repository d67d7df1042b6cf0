using System.Globalization;
using System.Text.RegularExpressions;

namespace FuncX.Tests.Integration.Observation;

/// <summary>A page of metrics, read as Prometheus' text format says: NAME{LABEL="VALUE",...} NUMBER on a line.</summary>
internal sealed partial class MetricsText
{
    private readonly List<(string Name, HashSet<string> Labels, double Value)> _samples = [];

    public MetricsText(string text)
    {
        foreach (var line in text.Split('\n').Where(static line => line.Length > 0 && line[0] != '#'))
        {
            var match = Sample().Match(line);
            match.Success.ShouldBeTrue($"'{line}' is no sample");
            _samples.Add((match.Groups[1].Value, LabelsOf(match.Groups[2].Value), double.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture)));
        }
    }

    public IEnumerable<string> Names => _samples.Select(static sample => sample.Name).Distinct();

    /// <summary>The labels that occur, with how many values each has.</summary>
    public IReadOnlyDictionary<string, int> Labels => _samples.SelectMany(static sample => sample.Labels).Distinct().GroupBy(static label => label.Split('=')[0])
        .ToDictionary(static label => label.Key, static label => label.Count());

    /// <summary>The samples of that name with at least these labels, added up.</summary>
    public double this[string figure]
    {
        get
        {
            var name = figure.Split('{')[0];
            var labels = LabelsOf(figure);
            return _samples.Where(sample => sample.Name == name && labels.IsSubsetOf(sample.Labels)).Sum(static sample => sample.Value);
        }
    }

    private static HashSet<string> LabelsOf(string text) => [.. Label().Matches(text).Select(static label => label.Value)];

    [GeneratedRegex(@"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?\s+(\S+)( \d+)?$")]
    private static partial Regex Sample();

    [GeneratedRegex("[a-z_]+=\"[^\"]*\"")]
    private static partial Regex Label();
}
