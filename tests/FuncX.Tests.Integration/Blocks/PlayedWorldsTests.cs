using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>MPI worlds in jobs of PBS and of Cobalt, played by commands that really run the script: the agent finds its nodes in the job's node file and launches over them.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedWorldsTests : IDisposable
{
    private readonly string _root = LocalCluster.NewDirectory("played");

    [Theory]
    [LongData("pbs", "qsub qstat qdel qselect")]
    [LongData("cobalt", "qsub qstat qdel")]
    public async Task Calls_run_on_the_nodes_of_the_node_file_and_stop_leaves_nothing(string kind, string commands)
    {
        var bin = Path.Combine(_root, "bin");
        Directory.CreateDirectory(bin);
        Directory.CreateDirectory(Path.Combine(_root, "state"));
        // Two names of this machine: a launcher reaches both without a remote shell.
        await File.WriteAllTextAsync(Path.Combine(_root, "state", "config.json"), "{\"hosts\": [\"localhost\", \"127.0.0.1\"]}");
        foreach (var command in commands.Split(' '))
            File.CreateSymbolicLink(Path.Combine(bin, command), Path.Combine(SourceTree.Root, "tests/lib", $"fake_{kind}"));
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}" };
        var options = new EndpointOptions
        {
            Provider = $"{{type: {kind}, walltime: 10m, nodes_per_block: 2, poll_interval: 1s, init: \"export FUNCX_MPI_LIBRARY=libmpich.so.12\"}}",
            Transport = "mpi",
            WorkersPerNode = 1,
            MoreYaml = "launcher: {type: mpiexec}",
        };
        await Scenario.RunAsync(options, async cluster =>
        {
            await cluster.WaitOnlineAsync(managers: 2);
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await cluster.SubmitRangeAsync(square, "squares", 400);
            (await cluster.Api.WaitAsync("squares", 400)).Values.Select(static result => result.Text).ShouldBe(Enumerable.Range(0, 400).Select(static i => $"{(i * i) + 7}"), ignoreOrder: true);
            using (var status = await cluster.Endpoint.StatusAsync())
                status!.RootElement.GetProperty("dispatch").GetProperty("worlds_running").GetInt32().ShouldBe(1);

            await cluster.Endpoint.StopAsync();
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(Path.Combine(_root, "state")).Count == 0, "no job runs", TimeSpan.FromSeconds(20));
        }, endpointEnvironment: environment);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
