using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>The paper's scaling study with simulated workers: every curve at every number of workers, as CSV and as plots beside what was published.</summary>
internal static class ScaleGrid
{
    /// <summary>A point that would take longer even if everything but the workers cost nothing is left out.</summary>
    private const double LongestIdeal = 120;
    private const int WarmUp = 100_000;

    public static async Task RunAsync(BenchSettings settings, Report report)
    {
        int[] sizes = settings.Quick ? [64, 256] : [.. Enumerable.Range(0, 15).Select(static power => ScaleSystem.WorkersPerManager << power)];
        ScaleCurve[] curves = [.. ScaleCurve.All.Where(curve => settings.Wants(curve.Name)).Select(curve => settings.Quick ? Small(curve) : curve)];
        var points = new List<ScalePoint>();
        foreach (var workers in sizes)
        {
            await using var system = await ScaleSystem.StartAsync(settings.Launcher, workers / ScaleSystem.WorkersPerManager);
            await system.RunAsync(settings.Quick ? 1_000 : WarmUp, 0, TimeSpan.FromMinutes(2));
            foreach (var curve in curves)
                points.Add(await MeasureAsync(report, system, curve, workers));
            report.Print($"{workers:#,0} workers: {system.Sockets()} connections at the endpoint's port");
        }

        var directory = Report.ResultsDirectory() ?? Directory.GetCurrentDirectory();
        var csv = Path.Combine(directory, $"scale-{settings.Launcher}.csv");
        await File.WriteAllLinesAsync(csv, ["curve,seconds_per_task,workers,tasks,ideal_s,seconds,tasks_per_s,note", .. points.Select(static point => point.Csv())]);
        report.Note($"points: {csv}");
        foreach (var strong in (bool[])[true, false])
        {
            var png = Path.Combine(directory, $"scale-{settings.Launcher}-{(strong ? "strong" : "weak")}.png");
            var drawn = points.Where(point => point.Curve.IsStrong == strong && point.Seconds is not null).ToList();
            if (drawn.Count == 0)
                continue;
            ScalePlot.Save(png, $"{(strong ? "Strong" : "Weak")} scaling, simulated workers, {settings.Launcher}", drawn);
            report.Note($"plot: {png}");
        }

        report.Figure("points", points.Count(static point => point.Seconds is not null));
        report.Figure("left_out", points.Count(static point => point.Seconds is null));
    }

    private static async Task<ScalePoint> MeasureAsync(Report report, ScaleSystem system, ScaleCurve curve, int workers)
    {
        var tasks = curve.TasksOf(workers);
        var ideal = curve.IdealSeconds(workers);
        double? seconds = ideal > LongestIdeal ? null : await system.RunAsync(tasks, curve.Seconds, TimeSpan.FromMinutes(10));
        var point = new ScalePoint(curve, workers, tasks, ideal, seconds);
        report.Print(point.Csv());
        return point;
    }

    private static ScaleCurve Small(ScaleCurve curve) => curve with { Seconds = curve.Seconds / 100, Tasks = curve.Tasks / 100 };
}
