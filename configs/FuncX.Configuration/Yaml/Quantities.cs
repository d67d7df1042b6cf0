using System.Globalization;

namespace FuncX.Configuration;

/// <summary>Durations and sizes as people write them, and back.</summary>
public static class Quantities
{
    private static readonly (string Unit, double Milliseconds)[] s_durations =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    private static readonly (string Unit, double Bytes)[] s_sizes =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("PiB", 1L << 50),
        ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("PB", 1e15), ("B", 1),
    ];

    // As TryTakeNumber takes one.
    private const string Number = @"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)";

    /// <summary>What <see cref="TryReadDuration"/> reads, as a regular expression (ECMA-262).</summary>
    public static string DurationPattern { get; } =
        $"^(?=.)(?:{string.Concat(s_durations.Reverse().Select(static duration => $"(?:{Number}{duration.Unit})?"))}|[0-9]{{1,4}}:[0-5][0-9]:[0-5][0-9])$";

    /// <summary>What <see cref="TryReadSize"/> reads, as a regular expression (ECMA-262).</summary>
    public static string SizePattern { get; } = $"^{Number} *(?:{string.Join('|', s_sizes.Select(static size => size.Unit))})$";

    /// <summary>Reads <c>90s</c>, <c>2m</c>, <c>1h30m</c>, <c>500ms</c>, <c>2d</c>, <c>01:00:00</c> (hours, minutes, seconds). A number without unit is refused.</summary>
    public static bool TryReadDuration(string text, out TimeSpan duration)
    {
        duration = default;
        if (text.Contains(':', StringComparison.Ordinal))
            return TryReadClock(text, out duration);
        double milliseconds = 0;
        var rest = text.AsSpan();
        var lastUnit = double.MaxValue;
        while (!rest.IsEmpty)
        {
            if (!TryTakeNumber(ref rest, out var number))
                return false;
            var letters = 0;
            while (letters < rest.Length && char.IsAsciiLetter(rest[letters]))
                letters++;
            var found = 0.0;
            foreach (var (unit, value) in s_durations)
            {
                if (rest[..letters].SequenceEqual(unit))
                    found = value;
            }

            // Each unit once, the larger first: "1h30m", not "30m1h".
            if (found == 0 || found >= lastUnit)
                return false;
            lastUnit = found;
            milliseconds += number * found;
            rest = rest[letters..];
        }

        if (lastUnit == double.MaxValue || milliseconds > TimeSpan.MaxValue.TotalMilliseconds / 2)
            return false;
        duration = TimeSpan.FromMilliseconds(milliseconds);
        return true;
    }

    /// <summary>Reads <c>8GiB</c>, <c>512 MiB</c>, <c>200GB</c> (powers of ten), <c>100B</c>. A number without unit is refused.</summary>
    public static bool TryReadSize(string text, out long bytes)
    {
        bytes = 0;
        var rest = text.AsSpan();
        if (!TryTakeNumber(ref rest, out var number))
            return false;
        rest = rest.TrimStart(' ');
        foreach (var (unit, value) in s_sizes)
        {
            if (!rest.SequenceEqual(unit))
                continue;
            var product = number * value;
            if (product > 1L << 60)
                return false;
            bytes = (long)product;
            return true;
        }

        return false;
    }

    /// <summary>As a person would write it: <c>1h30m</c>.</summary>
    public static string Write(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
            return "0s";
        var text = "";
        var rest = (long)duration.TotalMilliseconds;
        for (var i = s_durations.Length - 1; i >= 0; i--)
        {
            var unit = (long)s_durations[i].Milliseconds;
            if (rest >= unit)
                text += $"{rest / unit}{s_durations[i].Unit}";
            rest %= unit;
        }

        return text;
    }

    /// <summary>As a person would write it: <c>8GiB</c>.</summary>
    public static string Write(long bytes)
    {
        for (var i = 4; i >= 0; i--)
        {
            var unit = (long)s_sizes[i].Bytes;
            if (bytes >= unit && bytes % unit == 0)
                return $"{bytes / unit}{s_sizes[i].Unit}";
        }

        return $"{bytes}B";
    }

    private static bool TryReadClock(string text, out TimeSpan duration)
    {
        duration = default;
        var parts = text.Split(':');
        if (parts.Length != 3 || parts[0].Length is < 1 or > 4 || parts[1].Length != 2 || parts[2].Length != 2)
            return false;
        Span<int> numbers = stackalloc int[3];
        for (var i = 0; i < 3; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
                return false;
        }

        if (numbers[1] > 59 || numbers[2] > 59)
            return false;
        duration = new TimeSpan(0, numbers[0], numbers[1], numbers[2]);
        return true;
    }

    private static bool TryTakeNumber(ref ReadOnlySpan<char> text, out double number)
    {
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
            digits++;
        if (digits == 0 || digits > 18 || !double.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number))
        {
            number = 0;
            return false;
        }

        text = text[digits..];
        return true;
    }
}
