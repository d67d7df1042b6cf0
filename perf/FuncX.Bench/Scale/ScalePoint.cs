using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>One measurement of a curve.</summary>
/// <param name="Curve">Whose.</param>
/// <param name="Workers">How many there were.</param>
/// <param name="Tasks">How many they did.</param>
/// <param name="IdealSeconds">What the workers alone take.</param>
/// <param name="Seconds">Wall clock; null: left out, since the ideal is too long.</param>
internal sealed record ScalePoint(ScaleCurve Curve, int Workers, int Tasks, double IdealSeconds, double? Seconds)
{
    public string Csv() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Curve.Name},{Curve.Seconds:0.###},{Workers},{Tasks},{IdealSeconds:0.###},{Seconds:0.000},{Tasks / Seconds:0},{(Seconds is null ? "left out: the ideal time exceeds 120 s" : "")}");
}
