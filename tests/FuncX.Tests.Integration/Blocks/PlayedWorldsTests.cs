using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>MPI worlds in jobs of PBS and of Cobalt, played by commands that really run the script: the agent finds its nodes in the job's node file and launches over them.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedWorldsTests
{
    private const string Mpich = "FUNCX_MPI_LIBRARY=libmpich.so.12";

    // Two names of this machine: a launcher reaches both without a remote shell.
    private const string Hosts = "{\"hosts\": [\"localhost\", \"127.0.0.1\"]}";

    private static readonly EndpointOptions s_options = new() { Transport = "mpi", WorkersPerNode = 1, MoreYaml = "launcher: {type: mpiexec}" };

    [Theory]
    [LongData("pbs")]
    [LongData("cobalt")]
    public async Task Calls_run_on_the_nodes_of_the_node_file_and_stop_leaves_nothing(string kind)
    {
        using var site = new PlayedSite(kind, launches: false);
        site.Configure(Hosts);
        var options = s_options with { Provider = $"{{type: {kind}, walltime: 10m, nodes_per_block: 2, poll_interval: 1s, init: \"export {Mpich}\"}}" };
        await Scenario.SharingAsync(options, async cluster =>
        {
            await cluster.WaitOnlineAsync(managers: 2);
            await SquaresAsync(cluster);
            (await BlockWork.FigureAsync(cluster, "worlds_running")).ShouldBe(1);

            await cluster.Endpoint.StopAsync();
            await site.NothingRunsAsync();
        }, endpointEnvironment: site.Environment);
    }

    [Theory]
    [LongData("pbs", "-l select=2:ncpus=1 -o job.log")]
    [LongData("cobalt", "-n 2 --mode script -O job")]
    public Task An_endpoint_in_a_job_works_on_the_jobs_nodes_and_asks_for_none(string kind, string submission) => InJobAsync(kind, submission, managers: 2, "mpi", "mpiexec");

    [Theory]
    [InlineData("pbs", "-l select=1:ncpus=1 -o job.log", 1)]
    [LongData("cobalt", "-n 1 --mode script -O job", 1)]
    [LongData("cobalt", "-n 2 --mode script -O job", 2)]
    public Task Without_MPI_a_manager_is_started_on_the_jobs_only_node_or_by_what_reaches_the_others(string kind, string submission, int managers) =>
        InJobAsync(kind, submission, managers, "tcp");

    // By the script and the file of configs/; the script has the directives that the submission does not replace.
    private static async Task InJobAsync(string kind, string submission, int managers, string transport, string launcher = "detect")
    {
        using var site = new PlayedSite(kind, launches: false);
        site.Configure(Hosts);
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            var endpoint = await OwnJob.UseFileAsync(cluster, transport, launcher);
            // A job has little of its submitter's environment.
            string[] variables = [.. OwnJob.Variables(cluster), Mpich];
            var job = (await site.RunAsync("qsub",
            [
                .. submission.Split(' ').Select(word => word.StartsWith("job", StringComparison.Ordinal) ? Path.Combine(site.Root, word) : word),
                .. kind == "pbs" ? (string[])["-v", string.Join(',', variables)] : ["--env", string.Join(':', variables)],
                OwnJob.Script(kind),
            ])).Trim();
            await Eventually.TrueAsync(() => File.Exists(Path.Combine(endpoint.StateDirectory, "identity.json")), "the endpoint in the job has registered");
            await cluster.WaitOnlineAsync(managers);
            await SquaresAsync(cluster);
            site.JobsEver().ShouldBe(1, "no other job was to be asked for");

            (await EndpointCommand.RunAsync(cluster.DirectoryPath, "stop", "--config", endpoint.Configuration)).ShouldEnd(0);
            await Eventually.TrueAsync(async () => (await site.QueueAsync()).Length == 0, "the job is over", TimeSpan.FromSeconds(20));
            await site.NothingRunsAsync();
            if (kind == "pbs")
                site.Record(job).GetProperty("exit_status").GetInt32().ShouldBe(0);
            else
                (await File.ReadAllTextAsync(Path.Combine(site.Root, "job.cobaltlog"))).ShouldContain("completed normally with an exit code of 0");
        });
    }

    private static async Task SquaresAsync(LocalCluster cluster)
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(square, "squares", 400);
        (await cluster.Api.WaitAsync("squares", 400)).Values.Select(static result => result.Text).ShouldBe(Enumerable.Range(0, 400).Select(static i => $"{(i * i) + 7}"), ignoreOrder: true);
    }
}
