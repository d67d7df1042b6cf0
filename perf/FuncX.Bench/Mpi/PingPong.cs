using System.Globalization;

namespace FuncX.Bench.Mpi;

/// <summary>The two programs that send each other messages: perf/peers/mpi_pingpong.c and its twin funcx-mpi-pingpong.</summary>
internal static class PingPong
{
    private static readonly string Output = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../FuncX.Bench.PingPong/bin/Release/net10.0/linux-x64"));

    public static bool IsAheadOfTime => File.Exists(Published);

    public static string Program => IsAheadOfTime ? Published : Path.Combine(Output, "funcx-mpi-pingpong");

    private static string Published => Path.Combine(Output, "publish/funcx-mpi-pingpong");

    /// <summary>The C program for this MPI, or null when it is not installed as it would have to be.</summary>
    public static async Task<string?> CompileAsync(MpiInstallation mpi, string directory)
    {
        if (!mpi.IsInstalled)
            return null;
        var program = Path.Combine(directory, "mpi_pingpong");
        var source = Path.Combine(AppContext.BaseDirectory, "peers/mpi_pingpong.c");
        var (exitCode, _) = await Daemon.RunAsync([mpi.Compiler, "-O2", "-o", program, source], Path.Combine(directory, "compiler.log"), TimeSpan.FromMinutes(1));
        return exitCode == 0 ? program : null;
    }

    /// <summary>Microseconds by size.</summary>
    public static async Task<IReadOnlyDictionary<int, double>> RunAsync(MpiInstallation mpi, string program, string mode, int batches)
    {
        var directory = LocalCluster.NewDirectory("pingpong");
        var (exitCode, output) = await Daemon.RunAsync(
            ["timeout", "120", .. mpi.Launcher, program, mode, batches.ToString(CultureInfo.InvariantCulture)], Path.Combine(directory, "pingpong.log"), TimeSpan.FromMinutes(3));
        Directory.Delete(directory, recursive: true);
        if (exitCode != 0)
            throw new InvalidDataException($"{program} {mode} under {mpi.Name} ended with {exitCode}: {output}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(static line => line.Split(' '))
            .ToDictionary(static part => int.Parse(part[0], CultureInfo.InvariantCulture), static part => double.Parse(part[1], CultureInfo.InvariantCulture));
    }
}
