namespace FuncX.Configuration;

/// <summary>Guesses what was meant.</summary>
internal static class Spelling
{
    /// <summary><c>; did you mean 'x'?</c>, or what there is to choose from.</summary>
    public static string Hint(string seen, IEnumerable<string> known, string what)
    {
        var choices = known.Order(StringComparer.Ordinal).ToArray();
        string? best = null;
        var bestDistance = int.MaxValue;
        foreach (var choice in choices)
        {
            var distance = Distance(seen.ToLowerInvariant(), choice);
            if (distance < bestDistance)
                (best, bestDistance) = (choice, distance);
        }

        if (best is not null && bestDistance <= Math.Max(1, Math.Min(3, seen.Length / 3)))
            return $"; did you mean '{best}'?";
        return choices.Length == 0 ? $"; there are no {what} here" : $"; {what}: {string.Join(", ", choices)}";
    }

    // Damerau-Levenshtein in its restricted form: neighbours swapped count as one mistake.
    private static int Distance(string from, string to)
    {
        if (from.Length > 64 || to.Length > 64)
            return int.MaxValue;
        var rows = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
            rows[i, 0] = i;
        for (var j = 0; j <= to.Length; j++)
            rows[0, j] = j;
        for (var i = 1; i <= from.Length; i++)
        {
            for (var j = 1; j <= to.Length; j++)
            {
                var change = from[i - 1] == to[j - 1] ? 0 : 1;
                var least = Math.Min(Math.Min(rows[i - 1, j] + 1, rows[i, j - 1] + 1), rows[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                    least = Math.Min(least, rows[i - 2, j - 2] + 1);
                rows[i, j] = least;
            }
        }

        return rows[from.Length, to.Length];
    }
}
