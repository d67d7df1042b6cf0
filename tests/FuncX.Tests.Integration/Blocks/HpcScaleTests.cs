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
        var (exitCode, output) = await Daemon.RunAsync(
            ["bash", Path.Combine(SourceTree.Root, "perf/hpc", script), "3"],
            Path.Combine(directory, "log"),
            TimeSpan.FromSeconds(20),
            new Dictionary<string, string?>
            {
                ["FUNCX_HOME"] = "/release", ["FUNCX_BENCH"] = directory, ["SCALE_DIRECTORY"] = "/shared", ["SCALE_SCRIPTS"] = Path.Combine(SourceTree.Root, "perf/hpc"),
                ["WORKERS_PER_NODE"] = "128", ["REAL"] = "1", ["WALLTIME"] = "90m", ["CURVES"] = "weak", ["FUNCX_ENDPOINT"] = null,
                ["SLURM_JOB_NUM_NODES"] = "3", ["PBS_NODEFILE"] = Path.Combine(directory, "nodes"), ["COBALT_JOBSIZE"] = "3",
            });
        (exitCode, output.Trim()).ShouldBe((0, "/release/bin/funcx-endpoint scale --nodes 3 --workers-per-node 128 --launcher detect --directory /shared --json --real --walltime 90m --only weak"));
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task The_study_runs_in_a_job_of_Slurm_and_writes_points_and_plots()
    {
        Assert.SkipUnless(Scenario.Full, "takes half a minute: tests/run --full");
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        await using var lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: 2);
        var directory = LocalCluster.NewDirectory("study");
        var job = Path.Combine(directory, "job.sh");
        await File.WriteAllTextAsync(job, $"""
            #!/bin/bash
            export FUNCX_HOME={directory} FUNCX_BENCH={Path.GetDirectoryName(SourceTree.Program("perf/FuncX.Bench", "FuncX.Bench"))} SCALE_DIRECTORY={directory} SCALE_SCRIPTS={SourceTree.Root}/perf/hpc
            export FUNCX_ENDPOINT={Programs.Endpoint} FUNCX_MANAGER={Programs.Manager} FUNCX_MPI_LIBRARY=libmpich.so.12 WORKERS_PER_NODE=128 CURVES=weak-noop
            bash {SourceTree.Root}/perf/hpc/scale.slurm
            echo $? >{directory}/code
            """);
        await lab.RunAsync("sbatch", "--parsable", "--nodes=2", "--ntasks-per-node=1", "--exclusive", "--time=5", $"--output={directory}/job.log", job);
        await Eventually.TrueAsync(() => File.Exists(Path.Combine(directory, "code")), "the study has ended", TimeSpan.FromMinutes(2), () => File.Exists(Path.Combine(directory, "job.log")) ? File.ReadAllText(Path.Combine(directory, "job.log")) : "");

        var log = await File.ReadAllTextAsync(Path.Combine(directory, "job.log"));
        (await File.ReadAllTextAsync(Path.Combine(directory, "code"))).Trim().ShouldBe("0", log);
        var point = (await File.ReadAllLinesAsync(Path.Combine(directory, "scale-job-simulated.csv")))[1].Split(',');
        (point[0], point[2], point[3]).ShouldBe(("weak-noop", "256", "2560"));
        double.Parse(point[5], System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
        new FileInfo(Path.Combine(directory, "scale-job-simulated-weak.png")).Length.ShouldBeGreaterThan(1_000);
        log.ShouldContain("4 managers on 2 nodes");
        ProcessTable.Mentioning(directory).ShouldBeEmpty();
        Directory.Delete(directory, recursive: true);
    }
}
