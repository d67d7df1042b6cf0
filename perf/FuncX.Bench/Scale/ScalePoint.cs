using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>One measurement of a curve.</summary>
/// <param name="Curve">Its <see cref="ScaleCurve.Name"/>.</param>
/// <param name="TaskSeconds">What each task lasts.</param>
/// <param name="Workers">How many there were.</param>
/// <param name="Tasks">How many they did.</param>
/// <param name="IdealSeconds">What the workers alone take.</param>
/// <param name="Seconds">Wall clock; null: left out, since the ideal is too long.</param>
internal sealed record ScalePoint(string Curve, double TaskSeconds, int Workers, int Tasks, double IdealSeconds, double? Seconds)
{
    public const string Heading = "curve,seconds_per_task,workers,tasks,ideal_s,seconds,tasks_per_s,note";

    public static ScalePoint Parse(string line)
    {
        var fields = line.Split(',');
        return new ScalePoint(
            fields[0],
            double.Parse(fields[1], CultureInfo.InvariantCulture),
            int.Parse(fields[2], CultureInfo.InvariantCulture),
            int.Parse(fields[3], CultureInfo.InvariantCulture),
            double.Parse(fields[4], CultureInfo.InvariantCulture),
            fields[5].Length == 0 ? null : double.Parse(fields[5], CultureInfo.InvariantCulture));
    }

    public string Csv() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Curve},{TaskSeconds:0.###},{Workers},{Tasks},{IdealSeconds:0.###},{Seconds:0.000},{Tasks / Seconds:0},{(Seconds is null ? "left out: the ideal time exceeds 120 s" : "")}");
}
