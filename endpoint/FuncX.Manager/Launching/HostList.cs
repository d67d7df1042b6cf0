using System.Globalization;

namespace FuncX.Manager.Launching;

/// <summary>Slurm's way to write many host names: <c>nid[00008-00011,00020],login1,r[1-2]n[01-02]</c>.</summary>
internal static class HostList
{
    /// <summary>The most names that one list may stand for.</summary>
    public const int Most = 100_000;

    /// <summary>The names in their order; what stands twice is named twice.</summary>
    /// <exception cref="FormatException">It is no such list; the message says what was seen.</exception>
    public static IReadOnlyList<string> Expand(string text)
    {
        var names = new List<string>();
        foreach (var part in SplitOutside(text))
        {
            if (part.Length == 0)
                throw new FormatException($"the host list '{text}' has an empty name");
            Expand(text, "", part, names);
        }

        return names;
    }

    // Commas within brackets separate ranges, not names.
    private static IEnumerable<string> SplitOutside(string text)
    {
        var (start, depth) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '[')
                depth++;
            else if (text[i] == ']')
                depth--;
            if (depth is < 0 or > 1)
                throw new FormatException($"the brackets of the host list '{text}' do not match");
            if (text[i] != ',' || depth > 0)
                continue;
            yield return text[start..i];
            start = i + 1;
        }

        if (depth != 0)
            throw new FormatException($"the brackets of the host list '{text}' do not match");
        yield return text[start..];
    }

    private static void Expand(string text, string before, ReadOnlySpan<char> rest, List<string> names)
    {
        var open = rest.IndexOf('[');
        if (open < 0)
        {
            if (names.Count == Most)
                throw new FormatException($"the host list '{text}' stands for more than {Most} names");
            names.Add($"{before}{rest}");
            return;
        }

        var close = rest.IndexOf(']');
        var prefix = $"{before}{rest[..open]}";
        var after = rest[(close + 1)..];
        foreach (var range in rest[(open + 1)..close].ToString().Split(','))
        {
            var dash = range.IndexOf('-', StringComparison.Ordinal);
            var (low, high) = dash < 0 ? (range, range) : (range[..dash], range[(dash + 1)..]);
            if (!TryRead(low, out var first) || !TryRead(high, out var last) || last < first || last - first >= Most)
                throw new FormatException($"'{range}' in the host list '{text}' is no number and no range of numbers");
            for (var number = first; number <= last; number++)
                Expand(text, prefix + number.ToString(CultureInfo.InvariantCulture).PadLeft(low.Length, '0'), after, names);
        }
    }

    private static bool TryRead(string digits, out long number) => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
