using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>The paper's scaling study: every curve at every number of workers, as CSV and as plots beside what was published.</summary>
internal static class ScaleGrid
{
    private const int WarmUp = 100_000;

    private static readonly string[] s_jobs = ["SLURM_JOB_ID", "PBS_JOBID", "COBALT_JOBID"];
    private static readonly TimeSpan s_warmUp = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_point = TimeSpan.FromMinutes(10);

    /// <summary>Simulated workers on this machine, from 64 to 1,048,576; or what the nodes of this job have, beside what earlier jobs have measured.</summary>
    public static async Task RunAsync(BenchSettings settings, Report report)
    {
        ScaleCurve[] curves = [.. ScaleCurve.All.Where(curve => settings.Wants(curve.Name)).Select(curve => settings.Quick ? Small(curve) : curve)];
        var shapes = Shapes(settings).ToList();
        var name = $"scale-{(settings.Nodes is null ? settings.Launcher : settings.Real ? "job-python" : "job-simulated")}";
        var directory = report.Directory ?? Environment.CurrentDirectory;
        var points = new ScalePoints(directory, name, Run);
        var left = 0;
        foreach (var shape in shapes)
        {
            await using var system = await ScaleSystem.StartAsync(shape);
            await Processes.DescribeAsync(null, system.Endpoint, report);
            await system.RunAsync(settings.Quick || shape.Real ? WarmUp / 100 : WarmUp, 0, s_warmUp);
            foreach (var curve in curves)
            {
                var point = await ScalePoint.MeasureAsync(curve, shape.Workers, system.Mpi(), tasks => system.RunAsync(tasks, curve.Seconds, s_point));
                report.Print(point.Csv());
                points.Add(point);
                left += point.Seconds is null ? 1 : 0;
            }

            report.Note($"{shape}: {await system.TrafficAsync()}");
        }

        var merged = points.Merge(keepOwn: settings.Nodes is not null);
        report.Note($"points: {points.MergedPath}");
        Draw(report, directory, name, merged);
        report.Figure("points", (shapes.Count * curves.Length) - left);
        report.Figure("left_out", left);
    }

    // Of the job that this is in, or of this process.
    private static string Run => s_jobs.Select(Environment.GetEnvironmentVariable).FirstOrDefault(static job => !string.IsNullOrEmpty(job))
        ?? string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}-{Environment.ProcessId}");

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

    private static void Draw(Report report, string directory, string name, IReadOnlyList<ScalePoint> points)
    {
        foreach (var strong in (bool[])[true, false])
        {
            var curves = ScaleCurve.All.Where(curve => curve.IsStrong == strong).ToList();
            if (!points.Any(point => point.Seconds is not null && curves.Exists(curve => curve.Name == point.Curve)))
                continue;
            var png = Path.Combine(directory, $"{name}-{(strong ? "strong" : "weak")}.png");
            // Another job may draw at the same time.
            var drawn = $"{png}.{Run}.png";
            ScalePlot.Save(drawn, $"{(strong ? "Strong" : "Weak")} scaling, {name}", curves, points);
            File.Move(drawn, png, overwrite: true);
            report.Note($"plot: {png}");
        }
    }

    private static ScaleCurve Small(ScaleCurve curve) => curve with { Seconds = curve.Seconds / 100, Tasks = curve.Tasks / 100 };
}
