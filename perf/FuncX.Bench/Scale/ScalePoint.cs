using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>One measurement of a curve.</summary>
/// <param name="Curve">Its <see cref="ScaleCurve.Name"/>.</param>
/// <param name="TaskSeconds">What each task lasts.</param>
/// <param name="Workers">How many there were.</param>
/// <param name="Tasks">How many they did.</param>
/// <param name="IdealSeconds">What the workers alone take.</param>
/// <param name="Seconds">Wall clock; null: left out, since the ideal is too long.</param>
/// <param name="Published">What the paper states for this curve and so many workers; null: nothing.</param>
/// <param name="Mpi">The launcher and the library of the ranks.</param>
internal sealed record ScalePoint(string Curve, double TaskSeconds, int Workers, int Tasks, double IdealSeconds, double? Seconds, double? Published, string Mpi)
{
    public const string Heading = "curve,seconds_per_task,workers,tasks,ideal_s,seconds,tasks_per_s,published_s,mpi,note";

    /// <param name="curve">Of which it is a point.</param>
    /// <param name="workers">How many there are.</param>
    /// <param name="mpi">The launcher and the library of the ranks.</param>
    /// <param name="measure">Runs the tasks and gives the seconds; not called for what is left out.</param>
    public static async Task<ScalePoint> MeasureAsync(ScaleCurve curve, int workers, string mpi, Func<int, Task<double>> measure)
    {
        var tasks = curve.TasksOf(workers);
        double? seconds = curve.IsLeftOut(workers) ? null : await measure(tasks);
        return new ScalePoint(curve.Name, curve.Seconds, workers, tasks, curve.IdealSeconds(workers), seconds, curve.PublishedSeconds(workers), mpi);
    }

    /// <summary>Null: it is none, or a job ended while it wrote it.</summary>
    public static ScalePoint? Parse(string line)
    {
        if (line == Heading || line.Split(',') is not { Length: 10 } fields)
            return null;
        return new ScalePoint(fields[0], Number(fields[1]), (int)Number(fields[2]), (int)Number(fields[3]), Number(fields[4]), Optional(fields[5]), Optional(fields[7]), fields[8]);
    }

    public string Csv() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Curve},{TaskSeconds:0.###},{Workers},{Tasks},{IdealSeconds:0.###},{Seconds:0.000},{Tasks / Seconds:0},{Published:0.##},{Mpi.Replace(',', ';')},{(Seconds is null ? $"left out: the ideal time exceeds {ScaleCurve.LongestIdeal} s" : "")}");

    private static double Number(string field) => double.Parse(field, CultureInfo.InvariantCulture);

    private static double? Optional(string field) => field.Length == 0 ? null : Number(field);
}
