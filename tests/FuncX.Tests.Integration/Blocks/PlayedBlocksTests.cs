using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>An endpoint whose blocks are jobs of PBS and of Cobalt, played by commands that really run them.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedBlocksTests : IDisposable
{
    private readonly string _root = LocalCluster.NewDirectory("played");

    [Theory]
    [InlineData("pbs", "qsub qstat qdel qselect pbsdsh")]
    [InlineData("cobalt", "qsub qstat qdel aprun")]
    public async Task A_block_of_two_nodes_survives_the_endpoint_and_the_next_one_has_it_and_stop_leaves_none(string kind, string commands)
    {
        var bin = Path.Combine(_root, "bin");
        Directory.CreateDirectory(bin);
        Directory.CreateDirectory(Path.Combine(_root, "state"));
        foreach (var command in commands.Split(' '))
            File.CreateSymbolicLink(Path.Combine(bin, command), Path.Combine(SourceTree.Root, "tests/lib", $"fake_{kind}"));
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}" };
        var options = new EndpointOptions { Provider = $"{{type: {kind}, walltime: 10m, nodes_per_block: 2, poll_interval: 1s}}" };
        await Scenario.RunAsync(options, async cluster =>
        {
            await cluster.WaitOnlineAsync(managers: 2);
            var job = await JobAsync(cluster);
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "first", Enumerable.Range(0, 40).Select(static i => $"[0.2, {i}]")));
            await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("first")).Done >= 4, "tasks run");

            await cluster.Endpoint.KillAsync();
            await cluster.Endpoint.StartAsync(environment);

            (await cluster.Api.WaitAsync("first", 40)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
            await cluster.WaitOnlineAsync(managers: 2);
            (await JobAsync(cluster)).ShouldBe(job, "the next process was to take up the job, and ask for no other");

            var blocks = await EndpointCommand.RunAsync(_root, environment, "blocks", "--config", cluster.Endpoint.Configuration);
            blocks.ShouldEnd(0).Output.ShouldContain(job);
            (await EndpointCommand.RunAsync(_root, environment, "stop", "--keep", "--config", cluster.Endpoint.Configuration)).ShouldEnd(0).Output.ShouldContain("left 1 blocks running");
            await cluster.Endpoint.StartAsync(environment);
            await cluster.WaitOnlineAsync(managers: 2);
            (await JobAsync(cluster)).ShouldBe(job, "a block that was kept was to be taken up");
            Jobs().ShouldBe(1);

            await cluster.Endpoint.StopAsync();
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(Path.Combine(_root, "state")).Count == 0, "no job runs", TimeSpan.FromSeconds(20));
        }, endpointEnvironment: environment);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private int Jobs() => Directory.EnumerateFiles(Path.Combine(_root, "state", "jobs")).Count(static file => Path.GetFileName(file).All(char.IsAsciiDigit));

    private static async Task<string> JobAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("blocks").EnumerateArray().ShouldHaveSingleItem().GetProperty("job").GetString()!;
    }
}
