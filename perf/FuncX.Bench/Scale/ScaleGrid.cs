namespace FuncX.Bench.Scale;

/// <summary>The paper's scaling study: every curve at every number of workers, as CSV and as plots beside what was published.</summary>
internal static class ScaleGrid
{
    /// <summary>A point that would take longer even if everything but the workers cost nothing is left out.</summary>
    private const double LongestIdeal = 120;
    private const int WarmUp = 100_000;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_point = TimeSpan.FromMinutes(10);

    /// <summary>Simulated workers on this machine, from 64 to 1,048,576; or what the nodes of this job have, beside what earlier jobs have measured.</summary>
    public static async Task RunAsync(BenchSettings settings, Report report)
    {
        ScaleCurve[] curves = [.. ScaleCurve.All.Where(curve => settings.Wants(curve.Name)).Select(curve => settings.Quick ? Small(curve) : curve)];
        var shapes = Shapes(settings).ToList();
        var name = $"scale-{(settings.Nodes is null ? settings.Launcher : settings.Real ? "job-python" : "job-simulated")}";
        var directory = report.Directory ?? Environment.CurrentDirectory;
        var csv = Path.Combine(directory, $"{name}.csv");
        await File.WriteAllLinesAsync(csv, [ScalePoint.Heading, .. Kept(csv, settings, curves).Select(static point => point.Csv())]);
        var left = 0;
        foreach (var shape in shapes)
        {
            await using var system = await ScaleSystem.StartAsync(shape);
            await Processes.DescribeAsync(null, system.Endpoint, report);
            await system.RunAsync(settings.Quick || shape.Real ? WarmUp / 100 : WarmUp, 0, s_warmUp);
            foreach (var curve in curves)
            {
                var point = await MeasureAsync(system, curve);
                report.Print(point.Csv());
                await File.AppendAllLinesAsync(csv, [point.Csv()]);
                left += point.Seconds is null ? 1 : 0;
            }

            report.Note($"{shape}: {system.Sockets()} connections at the endpoint's port");
        }

        report.Note($"points: {csv}");
        Draw(report, directory, name, [.. (await File.ReadAllLinesAsync(csv)).Skip(1).Select(ScalePoint.Parse)]);
        report.Figure("points", (shapes.Count * curves.Length) - left);
        report.Figure("left_out", left);
    }

    // A job adds a number of workers to those of other jobs; a run of some curves leaves the others as they were measured.
    private static List<ScalePoint> Kept(string csv, BenchSettings settings, ScaleCurve[] curves) => File.Exists(csv)
        ? [.. File.ReadAllLines(csv).Skip(1).Select(ScalePoint.Parse).Where(point => settings.Nodes is not null || !curves.Any(curve => curve.Name == point.Curve))]
        : [];

    private static IEnumerable<ScaleShape> Shapes(BenchSettings settings)
    {
        if (settings.Nodes is { } nodes)
        {
            yield return new ScaleShape(settings.Launcher, nodes, settings.WorkersPerNode) { InJob = true, Real = settings.Real, Walltime = settings.Walltime };
            yield break;
        }

        for (var power = 0; power < (settings.Quick ? 2 : 15); power++)
            yield return ScaleShape.Local(settings.Launcher, ScaleShape.WorkersPerManager << power);
    }

    private static async Task<ScalePoint> MeasureAsync(ScaleSystem system, ScaleCurve curve)
    {
        var workers = system.Shape.Workers;
        var tasks = curve.TasksOf(workers);
        var ideal = curve.IdealSeconds(workers);
        return new ScalePoint(curve.Name, curve.Seconds, workers, tasks, ideal, ideal > LongestIdeal ? null : await system.RunAsync(tasks, curve.Seconds, s_point));
    }

    private static void Draw(Report report, string directory, string name, IReadOnlyList<ScalePoint> points)
    {
        foreach (var strong in (bool[])[true, false])
        {
            var curves = ScaleCurve.All.Where(curve => curve.IsStrong == strong).ToList();
            if (!points.Any(point => point.Seconds is not null && curves.Exists(curve => curve.Name == point.Curve)))
                continue;
            var png = Path.Combine(directory, $"{name}-{(strong ? "strong" : "weak")}.png");
            ScalePlot.Save(png, $"{(strong ? "Strong" : "Weak")} scaling, {name}", curves, points);
            report.Note($"plot: {png}");
        }
    }

    private static ScaleCurve Small(ScaleCurve curve) => curve with { Seconds = curve.Seconds / 100, Tasks = curve.Tasks / 100 };
}
