using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>The scaling study's script as a job of a real Slurm.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class HpcScaleTests
{
    [Theory]
    [InlineData("scale.slurm")]
    [InlineData("scale.pbs")]
    [InlineData("scale.cobalt")]
    [InlineData("scale")]
    public async Task The_scripts_are_bash_and_start_the_study_on_the_nodes_of_their_job(string script)
    {
        var directory = LocalCluster.NewDirectory("hpc");
        await File.WriteAllTextAsync(Path.Combine(directory, "FuncX.Bench"), "#!/bin/sh\necho \"$FUNCX_ENDPOINT $*\"\n");
        File.SetUnixFileMode(Path.Combine(directory, "FuncX.Bench"), (UnixFileMode)Convert.ToInt32("755", 8));
        await File.WriteAllTextAsync(Path.Combine(directory, "nodes"), "n1\nn1\nn2\nn3\n");
        await File.WriteAllTextAsync(Path.Combine(directory, "environment"), "");
        var (exitCode, output) = await Daemon.RunAsync(
            ["bash", Path.Combine(SourceTree.Root, "perf/hpc", script), "3"],
            Path.Combine(directory, "log"),
            TimeSpan.FromSeconds(20),
            new Dictionary<string, string?>
            {
                ["FUNCX_HOME"] = "/release", ["FUNCX_BENCH"] = directory, ["SCALE_DIRECTORY"] = "/shared", ["SCALE_SCRIPTS"] = Path.Combine(SourceTree.Root, "perf/hpc"),
                ["WORKERS_PER_NODE"] = "128", ["REAL"] = "1", ["WALLTIME"] = "90m", ["CURVES"] = "weak", ["FUNCX_ENDPOINT"] = null,
                ["SLURM_JOB_NUM_NODES"] = "3", ["PBS_NODEFILE"] = Path.Combine(directory, "nodes"), ["COBALT_JOBSIZE"] = "3",
                ["SCALE_ENVIRONMENT"] = Path.Combine(directory, "environment"),
            });
        (exitCode, output.Trim()).ShouldBe((0, "/release/bin/funcx-endpoint scale --nodes 3 --workers-per-node 128 --launcher detect --directory /shared --json --real --walltime 90m --only weak"));
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [LongData("pbs", "workq", " --walltime 1h")]
    [LongData("cobalt", "default", "")]
    public async Task What_the_README_says_brings_every_setting_into_the_job(string kind, string queue, string walltime)
    {
        using var site = new PlayedSite(kind);
        var (directory, script) = (Path.Combine(site.Root, "ann"), $"hpc/scale.{kind}");
        Directory.CreateDirectory(Path.Combine(directory, "bench"));
        File.CreateSymbolicLink(Path.Combine(directory, "hpc"), Path.Combine(SourceTree.Root, "perf/hpc"));
        var bench = Path.Combine(directory, "bench", "FuncX.Bench");
        await File.WriteAllTextAsync(bench, "#!/bin/sh\necho \"$FUNCX_ENDPOINT $*|$LD_LIBRARY_PATH|$FUNCX_MPI_LIBRARY|$PATH\" >$SCALE_DIRECTORY/seen.new\nmv $SCALE_DIRECTORY/seen.new $SCALE_DIRECTORY/seen\n");
        File.SetUnixFileMode(bench, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // The page's own lines, without the submissions to other schedulers, and with this site's names and number of nodes.
        var page = (await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "perf/hpc/README.md"))).Split("## Each number of nodes\n")[1].Split("\n\n")[0].Split('\n').Select(static line => line.Trim());
        string[] lines =
        [
            $"cd '{directory}'", "module() { export LD_LIBRARY_PATH=/opt/mpi/lib:/opt/fabric/lib PATH=/opt/mpi/bin:$PATH; }", "module load mpi", "export FUNCX_MPI_LIBRARY=libmpich.so.12 LAUNCHER=mpiexec REAL=1 CURVES=weak",
            .. page.Where(line => !line.Contains(" hpc/scale.", StringComparison.Ordinal) || line.Contains(script, StringComparison.Ordinal))
                .Select(line => line.Replace("-A A -q Q", $"-A a -q {queue}", StringComparison.Ordinal).Replace("select=128", "select=2", StringComparison.Ordinal).Replace("-n 128", "-n 2", StringComparison.Ordinal)),
        ];
        lines.Count(static line => line.Contains("qsub", StringComparison.Ordinal)).ShouldBe(1);
        var (exitCode, output) = await Daemon.RunAsync(
            ["bash", "-euc", string.Join('\n', lines)], Path.Combine(site.Root, "log"), TimeSpan.FromSeconds(20),
            new Dictionary<string, string?>(site.Environment) { ["FUNCX_ENDPOINT"] = null, ["FUNCX_MANAGER"] = null, ["LD_LIBRARY_PATH"] = null });
        exitCode.ShouldBe(0, output);
        var seen = Path.Combine(directory, "scale", "seen");
        await Eventually.TrueAsync(() => File.Exists(seen), "the job runs the bench", TimeSpan.FromSeconds(20), () => output);
        var said = (await File.ReadAllTextAsync(seen)).Trim().Split('|');
        said[..3].ShouldBe([$"{directory}/funcx-VERSION-linux-x64/bin/funcx-endpoint scale --nodes 2 --workers-per-node 1024 --launcher mpiexec --directory {directory}/scale --json --real{walltime} --only weak", "/opt/mpi/lib:/opt/fabric/lib", "libmpich.so.12"]);
        said[3].ShouldStartWith("/opt/mpi/bin:");
        await Eventually.TrueAsync(async () => (await site.QueueAsync()).Length == 0, "the job ends");
        await site.NothingRunsAsync();
        if (kind == "cobalt")
            File.GetUnixFileMode(Path.Combine(directory, "scale", "environment")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite, "it has whatever the shell has");
    }

    [Theory]
    [LongData("0", 128, "simulated", 4)]
    [LongData("1", 2, "python", 2)]
    public async Task The_study_runs_in_a_job_of_Slurm_and_writes_points_and_plots(string real, int workersPerNode, string kind, int managers)
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        await using var lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: 2);
        var directory = LocalCluster.NewDirectory("study");
        var job = Path.Combine(directory, "job.sh");
        await File.WriteAllTextAsync(job, $"""
            #!/bin/bash
            export FUNCX_HOME={directory} FUNCX_BENCH={Path.GetDirectoryName(SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"))} SCALE_DIRECTORY={directory} SCALE_SCRIPTS={SourceTree.Root}/perf/hpc
            export FUNCX_ENDPOINT={Programs.Endpoint} FUNCX_MANAGER={Programs.Manager} FUNCX_MPI_LIBRARY=libmpich.so.12 WORKERS_PER_NODE={workersPerNode} REAL={real} CURVES=weak-noop
            bash {SourceTree.Root}/perf/hpc/scale.slurm
            echo $? >{directory}/code
            """);
        await lab.RunAsync("sbatch", "--parsable", "--nodes=2", "--ntasks-per-node=1", "--exclusive", "--time=5", $"--output={directory}/job.log", job);
        await Eventually.TrueAsync(() => File.Exists(Path.Combine(directory, "code")), "the study has ended", TimeSpan.FromMinutes(2), () => File.Exists(Path.Combine(directory, "job.log")) ? File.ReadAllText(Path.Combine(directory, "job.log")) : "");

        var log = await File.ReadAllTextAsync(Path.Combine(directory, "job.log"));
        (await File.ReadAllTextAsync(Path.Combine(directory, "code"))).Trim().ShouldBe("0", log);
        var point = (await File.ReadAllLinesAsync(Path.Combine(directory, $"scale-job-{kind}.csv")))[1].Split(',');
        (point[0], point[2], point[3]).ShouldBe(("weak-noop", $"{2 * workersPerNode}", $"{20 * workersPerNode}"));
        double.Parse(point[5], System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
        new FileInfo(Path.Combine(directory, $"scale-job-{kind}-weak.png")).Length.ShouldBeGreaterThan(1_000);
        log.ShouldContain($"{managers} managers on 2 nodes");
        // Two ranks have done the warm-up and the curve, half of it each; the leader and the agent dial in.
        log.ShouldContain(" frames of tasks and results over MPI per rank; 2 connections at the endpoint's port");
        point[8].ShouldMatch("^(srun|mpirun|mpiexec) with MPICH Version");
        Directory.EnumerateFiles(directory, $"scale-job-{kind}-*.csv").ShouldHaveSingleItem("the job's own file stays for the next job");
        ProcessTable.Mentioning(directory).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }
}
