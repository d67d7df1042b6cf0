namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>The tables of service/CONFIGURATION.md.</summary>
internal static class ServiceConfigurationReference
{
    /// <summary>One key.</summary>
    /// <param name="Section">The section it stands in; empty: none.</param>
    /// <param name="Key">Its name there.</param>
    /// <param name="Type">The reader's word for its type.</param>
    /// <param name="Default">What holds without it, as the table says it.</param>
    /// <param name="Range">What it may be.</param>
    /// <param name="AtTheLimit">What happens beyond it, or what it does.</param>
    internal sealed record Row(string Section, string Key, string Type, string Default, string Range, string AtTheLimit)
    {
        /// <summary>What the reader says it expects, when it is given something else.</summary>
        public string Expected => Type switch
        {
            "flag" => Plain(Range),
            "choice" => $"one of {Plain(Range)}",
            "text" or "path" => $"a {Type}",
            _ => $"a {Type} from {Plain(Range)}",
        };

        public string Path => Section.Length > 0 ? $"{Section}.{Key}" : Key;

        /// <summary>A file that says this key only, in the flow style.</summary>
        public string Yaml(string value) => Path.Split('.').Reverse().Aggregate(value, static (inner, key) => $"{{{key}: {inner}}}");

        private static string Plain(string text) => text.Replace("`", "", StringComparison.Ordinal);
    }

    public static IReadOnlyList<Row> Rows { get; } = Read();

    /// <summary>The options of the command line, with what they are given.</summary>
    public static IEnumerable<string> Options => Lines().Where(static line => line.StartsWith("| `--", StringComparison.Ordinal)).Select(static line => line.Split('`')[1]);

    public static Row Limit(string key) => Rows.Single(row => row.Section == "limits" && row.Key == key);

    private static List<Row> Read()
    {
        var rows = new List<Row>();
        var section = "";
        foreach (var line in Lines())
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
                section = line == "## Limits" ? "limits" : "";
            var cells = line.Split('|', StringSplitOptions.TrimEntries);
            if (cells.Length != 7 || !cells[1].StartsWith('`'))
                continue;
            var path = cells[1].Trim('`').Split('.');
            rows.Add(new Row(path.Length > 1 ? string.Join('.', path[..^1]) : section, path[^1], cells[2], cells[3], cells[4], cells[5]));
        }

        return rows;
    }

    private static IEnumerable<string> Lines() => File.ReadLines(System.IO.Path.Combine(ConfigurationScratch.Repository("service"), "CONFIGURATION.md"));
}
