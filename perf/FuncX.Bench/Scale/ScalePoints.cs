namespace FuncX.Bench.Scale;

/// <summary>
/// The points of a study, <c>NAME.csv</c>, to which several jobs add at once: each writes a file of its own, <c>NAME-RUN.csv</c>, and what is merged from all of them can be made again at any time. File
/// systems of supercomputers may have no locks.
/// </summary>
internal sealed class ScalePoints
{
    private readonly string _directory;
    private readonly string _name;
    private readonly string _own;

    /// <param name="run">Names this run among those that share the directory: its job.</param>
    public ScalePoints(string directory, string name, string run)
    {
        (_directory, _name) = (directory, name);
        _own = Path.Combine(directory, $"{name}-{run}.csv");
        // A job that is run once more under its id goes on with what it had.
        if (!File.Exists(_own))
            File.WriteAllLines(_own, [ScalePoint.Heading]);
    }

    /// <summary>All points.</summary>
    public string MergedPath => Path.Combine(_directory, $"{_name}.csv");

    /// <summary>What a job that ends now has measured stays.</summary>
    public void Add(ScalePoint point) => File.AppendAllLines(_own, [point.Csv()]);

    /// <summary>Writes the points of all runs until now, of each curve, number of workers and MPI the newest.</summary>
    /// <param name="keepOwn">False: this run's own file goes, since all of it is in the merged one, and no other run merges at the same time.</param>
    public IReadOnlyList<ScalePoint> Merge(bool keepOwn)
    {
        // Another run may have merged at the same time without the last points of this one, or this one without its.
        string[] written = [];
        IReadOnlyList<ScalePoint> points;
        while (true)
        {
            points = Read();
            string[] lines = [ScalePoint.Heading, .. points.Select(static point => point.Csv())];
            if (lines.SequenceEqual(written))
                break;
            File.WriteAllLines(_own + ".new", lines);
            File.Move(_own + ".new", MergedPath, overwrite: true);
            written = lines;
        }

        if (!keepOwn)
            File.Delete(_own);
        return points;
    }

    // What was merged before is older than what any run has of its own.
    private List<ScalePoint> Read()
    {
        var newest = new Dictionary<(string Curve, int Workers, string Mpi), ScalePoint>();
        var runs = Directory.EnumerateFiles(_directory, $"{_name}-*.csv").OrderBy(File.GetLastWriteTimeUtc).ThenBy(static path => path, StringComparer.Ordinal);
        foreach (var path in (string[])[.. File.Exists(MergedPath) ? [MergedPath] : (string[])[], .. runs])
        {
            foreach (var point in File.ReadLines(path).Select(ScalePoint.Parse).OfType<ScalePoint>())
                newest[(point.Curve, point.Workers, point.Mpi)] = point;
        }

        return [.. newest.Values.OrderBy(static point => point.Curve, StringComparer.Ordinal).ThenBy(static point => point.Workers).ThenBy(static point => point.Mpi, StringComparer.Ordinal)];
    }
}
