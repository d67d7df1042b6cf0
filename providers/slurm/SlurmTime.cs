using System.Globalization;

namespace FuncX.Providers.Slurm;

/// <summary>Durations as Slurm prints them: <c>[days-][[hours:]minutes:]seconds</c> (squeue(1)).</summary>
internal static class SlurmTime
{
    private const int MostDays = 36_500;

    /// <summary>Null: a word stands there (UNLIMITED, NOT_SET, INVALID), or what is no duration.</summary>
    public static TimeSpan? Parse(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var days = 0;
        if (dash >= 0 && (!int.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out days) || days > MostDays))
            return null;
        var parts = text[(dash + 1)..].Split(':');
        var seconds = 0L;
        foreach (var part in parts)
        {
            if (parts.Length > 3 || !int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return null;
            seconds = (seconds * 60) + number;
        }

        return TimeSpan.FromDays(days) + TimeSpan.FromSeconds(seconds);
    }
}
