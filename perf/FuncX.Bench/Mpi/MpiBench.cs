using System.Globalization;

namespace FuncX.Bench.Mpi;

/// <summary>The binding's half round trip between two ranks against the same calls from C, under each MPI that is installed.</summary>
internal sealed class MpiBench : IBench
{
    public string Name => "mpi";

    public string Needs => "half round trips of 8 B to 4 MiB between two ranks, C# beside C; Open MPI and MPICH with mpicc.openmpi and mpicc.mpich";

    public async Task RunAsync(BenchSettings settings, Report report)
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
        for (var run = 0; run < settings.RunsOr(7); run++)
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
