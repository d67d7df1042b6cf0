using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace FuncX.Bench.Scale;

/// <summary>Draws curves over the number of workers, both axes logarithmic, with published figures as points.</summary>
internal static class ScalePlot
{
    private const int Width = 1000;
    private const int Height = 700;

    public static void Save(string path, string title, IReadOnlyList<ScaleCurve> curves, IReadOnlyList<ScalePoint> points)
    {
        using var plot = new Plot();
        foreach (var curve in curves)
        {
            var measured = points.Where(point => point.Curve == curve.Name && point.Seconds is not null).GroupBy(static point => point.Mpi).ToList();
            if (measured.Count == 0)
                continue;
            var lines = measured.ConvertAll(ofMpi =>
            {
                var sorted = ofMpi.OrderBy(static point => point.Workers).ToList();
                var line = plot.Add.Scatter(sorted.ConvertAll(static point => Math.Log10(point.Workers)), sorted.ConvertAll(static point => Math.Log10(point.Seconds!.Value)));
                line.LegendText = measured.Count == 1 ? curve.ToString() : $"{curve}, {ofMpi.Key}";
                return line;
            });
            if (curve.Published.Length == 0)
                continue;
            var marks = plot.Add.ScatterPoints(curve.Published.Select(static point => Math.Log10(point.Workers)).ToArray(), curve.Published.Select(static point => Math.Log10(point.Seconds)).ToArray());
            marks.MarkerShape = MarkerShape.OpenSquare;
            marks.MarkerSize = 12;
            marks.Color = lines[0].Color;
            marks.LegendText = $"{curve.Name}, published by funcX (2022)";
        }

        plot.Axes.Bottom.TickGenerator = Powers();
        plot.Axes.Left.TickGenerator = Powers();
        plot.XLabel("workers");
        plot.YLabel("seconds");
        plot.Title(title);
        plot.ShowLegend(Alignment.UpperLeft);
        plot.SavePng(path, Width, Height);
    }

    private static NumericAutomatic Powers() => new()
    {
        IntegerTicksOnly = true,
        LabelFormatter = static power => Math.Pow(10, power).ToString("#,0.###", CultureInfo.InvariantCulture),
        MinorTickGenerator = new LogMinorTickGenerator(),
    };
}
