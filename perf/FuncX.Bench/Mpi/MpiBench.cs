using System.Globalization;

namespace FuncX.Bench.Mpi;

/// <summary>The binding's half round trip between two ranks against the same calls from C, and worlds of managers: idle, and with large results; under each MPI that is installed.</summary>
internal sealed class MpiBench : IBench
{
    public string Name => "mpi";

    public string Needs => "half round trips of 8 B to 4 MiB between two ranks, C# beside C; 16 idle ranks of managers, and 4 with 100 MB results; Open MPI and MPICH with mpicc.openmpi and mpicc.mpich; python3";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        if (settings.Wants("ratio_to_c_1k_up") || settings.Wants("added_us_below_1k"))
            await PingPongAsync(settings, report);
        List<(double IdlePercent, double FirstMs, double BulkRatio)> worlds = [];
        foreach (var mpi in MpiInstallation.Known)
            worlds.Add(await WorldFigures.MeasureAsync(settings, report, mpi));
        foreach (var (name, figures) in ((string, IEnumerable<double>)[])[
            ("idle_percent_per_rank", worlds.Select(static world => world.IdlePercent)), ("first_after_idle_ms", worlds.Select(static world => world.FirstMs)), ("bulk_p99_ratio", worlds.Select(static world => world.BulkRatio))])
        {
            if (settings.Wants(name))
                report.Figure(name, Worst(figures));
        }
    }

    // An MPI that is not installed is left out.
    private static double Worst(IEnumerable<double> figures) => figures.Where(static figure => !double.IsNaN(figure)).DefaultIfEmpty(double.NaN).Max();

    private static async Task PingPongAsync(BenchSettings settings, Report report)
    {
        report.Note($"{PingPong.Program}{(PingPong.IsAheadOfTime ? " (ahead-of-time compiled)" : ": NOT ahead-of-time compiled, publish perf/FuncX.Bench.PingPong first")}");
        var compared = new List<SizeComparison>();
        foreach (var mpi in MpiInstallation.Known)
        {
            var directory = LocalCluster.NewDirectory("mpi");
            if (await PingPong.CompileAsync(mpi, directory) is { } program)
            {
                foreach (var mode in (string[])["plain", "matched"])
                    compared.AddRange(await CompareAsync(settings, report, mpi, program, mode));
            }
            else
            {
                report.Note($"{mpi.Name} left out: {mpi.Launcher[0]} or {mpi.Compiler} is missing, or the compiler failed");
            }

            Directory.Delete(directory, recursive: true);
        }

        report.Figure("ratio_to_c_1k_up", compared.Where(static size => size.Bytes >= 1024).Select(static size => size.Ratio).DefaultIfEmpty(double.NaN).Max());
        report.Figure("added_us_below_1k", compared.Where(static size => size.Bytes < 1024).Select(static size => size.AddedMicroseconds).DefaultIfEmpty(double.NaN).Max());
    }

    // One after the other, again and again, so that what else the machine does falls on both.
    private static async Task<IReadOnlyList<SizeComparison>> CompareAsync(BenchSettings settings, Report report, MpiInstallation mpi, string program, string mode)
    {
        var batches = settings.Quick ? 5 : 100;
        var runs = new List<SizeComparison>();
        for (var run = 0; run < settings.RunsOr(11); run++)
        {
            var c = await PingPong.RunAsync(mpi, program, mode, batches);
            var sharp = await PingPong.RunAsync(mpi, PingPong.Program, mode, batches);
            runs.AddRange(c.Select(size => SizeComparison.Of(size.Key, size.Value, sharp[size.Key])));
        }

        var sizes = runs.GroupBy(static run => run.Bytes).Select(SizeComparison.MedianOf).ToList();
        report.Note($"{mpi.Name} {mode}, us of C, of C#: " + string.Join("; ", sizes.Select(static size => string.Create(
            CultureInfo.InvariantCulture, $"{size.Bytes} B {size.C:0.00}, {size.Sharp:0.00}"))));
        return sizes;
    }
}
