using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using FuncX.Bench.Mpi;

namespace FuncX.Bench.Broadcast;

/// <summary>One file to the directories of sixteen ranks of a world, under each MPI that is installed, and as many plain copies beside.</summary>
internal sealed class BroadcastBench : IBench
{
    private const int CopyPieceBytes = 1 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    public string Name => "broadcast";

    public string Needs => "256 MiB of stage_in to 16 ranks, each with a directory of its own, 16 plain copies beside; Open MPI's mpirun and MPICH's mpiexec; 5 GB of disk";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        var (ranks, bytes) = settings.Quick ? (4, 8 << 20) : (16, 256 << 20);
        var folder = LocalCluster.NewDirectory("broadcast");
        var source = Path.Combine(folder, "image.bin");
        var digest = await WriteAsync(source, bytes);
        List<double> all = [], copies = [];
        var reads = 0;
        foreach (var mpi in MpiInstallation.Known)
        {
            if (!mpi.HasLauncher)
            {
                report.Note($"{mpi.Name} left out: {mpi.Launcher[0]} is missing");
                continue;
            }

            List<double> seconds = [];
            for (var run = 1; run <= settings.RunsOr(3); run++)
            {
                var (took, opens) = await BroadcastAsync(report, mpi.LauncherType, ranks, source, digest, describes: run == 1);
                seconds.Add(took);
                reads = Math.Max(reads, opens);
                copies.Add(await CopyAsync(source, Path.Combine(folder, "copies"), ranks));
            }

            all.Add(Median.Of(seconds));
            report.Figure($"{mpi.Figure}_seconds", all[^1]);
            report.Note($"{mpi.Name}, each run: {Listed(seconds)} s");
        }

        Directory.Delete(folder, recursive: true);
        report.Figure("source_reads", all.Count > 0 ? reads : double.NaN);
        report.Figure("seconds", all.Count > 0 ? all.Max() : double.NaN);
        report.Figure("copies_seconds", copies.Count > 0 ? Median.Of(copies) : double.NaN);
        report.Note($"{ranks} plain copies of the same file, two at a time, without a digest, each run: {Listed(copies)} s");
    }

    private static async Task<(double Seconds, int Opens)> BroadcastAsync(Report report, string launcher, int ranks, string source, string digest, bool describes)
    {
        await using var cluster = await LocalCluster.StartServiceAsync();
        using var reads = new FileReads(source);
        await cluster.AddEndpointAsync(
            new EndpointOptions { Nodes = ranks, WorkersPerNode = 1, Transport = "mpi", MoreYaml = $"launcher: {{type: {launcher}, ranks_per_world: {ranks}}}\nstage_in: [{source}]" }, managers: 0);
        await Eventually.TrueAsync(async () => await StagedAsync(cluster) == ranks, $"{ranks} ranks have the file", s_patience, () => cluster.Endpoint.Tail);
        var seconds = Stopwatch.GetElapsedTime(reads.FirstOpen).TotalSeconds;
        var opens = reads.Opens;
        if (describes)
        {
            report.Note($"funcx-endpoint {cluster.Endpoint.Identity.Pid}: {Contracts.Programs.Endpoint}; settings: {(await File.ReadAllTextAsync(cluster.Endpoint.Configuration)).Trim().ReplaceLineEndings("; ")}");
            report.Note($"{launcher}: {opens} opening(s) of the file by anybody, {reads.Accesses} reads of it seen (inotify; those that come together count as one)");
        }

        var found = Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, Path.GetFileName(source), SearchOption.AllDirectories).ToList();
        if (found.Count != ranks)
            throw new InvalidDataException($"{found.Count} files are there, {ranks} were to be: {string.Join(", ", found)}");
        foreach (var file in found)
        {
            if (await DigestAsync(file) != digest)
                throw new InvalidDataException($"{file} is not what {source} is");
        }

        var left = await cluster.StopAsync();
        if (left.Count > 0)
            throw new InvalidDataException($"{left.Count} processes are left running");
        return (seconds, opens);
    }

    private static async Task<long> StagedAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        var staged = 0L;
        foreach (var block in status?.RootElement.GetProperty("blocks").EnumerateArray() ?? default)
        {
            if (block.GetProperty("staging") is { ValueKind: System.Text.Json.JsonValueKind.Object } staging)
                staged += staging.GetProperty("managers_done").GetInt64();
        }

        return staged;
    }

    private static async Task<double> CopyAsync(string source, string folder, int count)
    {
        Directory.CreateDirectory(folder);
        var began = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (number, cancellation) =>
        {
            await using var from = new FileStream(source, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            await using var to = new FileStream(Path.Combine(folder, number.ToString(CultureInfo.InvariantCulture)), FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            await from.CopyToAsync(to, CopyPieceBytes, cancellation);
        });
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        Directory.Delete(folder, recursive: true);
        return seconds;
    }

    private static async Task<string> WriteAsync(string path, int bytes)
    {
        var content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        await File.WriteAllBytesAsync(path, content);
        return Convert.ToHexStringLower(SHA256.HashData(content));
    }

    private static async Task<string> DigestAsync(string path)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file));
    }

    private static string Listed(IEnumerable<double> seconds) => string.Join(", ", seconds.Select(static each => each.ToString("0.00", CultureInfo.InvariantCulture)));
}
