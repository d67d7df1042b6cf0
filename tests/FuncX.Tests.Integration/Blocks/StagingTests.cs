using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Files of <c>stage_in</c>, from the endpoint's YAML to a function that reads them.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class StagingTests
{
    private const int Nodes = 2;

    // More than goes in a message with tasks: it comes down the ranks.
    private static readonly string s_comment = $"\n# {new string('c', 50_000)}\n";

    private const string ReadFile = """
        import os, time
        def read_file(name):
            time.sleep(0.05)
            with open(os.path.join(os.environ["FUNCX_STAGE_DIR"], name)) as file:
                return [os.environ["FUNCX_NODE"], file.read()]
        """;

    [Theory]
    [InlineData("mpi", 1)]
    [LongData("tcp", Nodes)]
    public async Task A_function_reads_a_staged_file_on_every_node_once_the_file_is_there(string transport, int functionsSent)
    {
        var folder = LocalCluster.NewDirectory("staged");
        var file = Path.Combine(folder, "words.txt");
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(
                new EndpointOptions { Nodes = Nodes, WorkersPerNode = 1, Transport = transport, MoreYaml = $"stage_in: [{file}]" }, managers: 0);

            // Nothing is offered, and the reason stands with the block and in the note.
            await cluster.NoteSaysAsync($"{file} is not there on node");
            await BlockSaysAsync(cluster, staging => staging is { } known && Number(known, "managers") == Nodes && Number(known, "managers_done") == 0);
            var (exitCode, listed) = await Daemon.RunAsync(
                [Contracts.Programs.Endpoint, "blocks", "--config", cluster.Endpoint.Configuration], Path.Combine(cluster.DirectoryPath, "blocks.log"), Eventually.Patience);
            exitCode.ShouldBe(0, listed);
            listed.ShouldContain($"staged 0 of {Nodes} managers");
            listed.ShouldContain($"{file} is not there on node");
            (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.Managers.ShouldBe(0);

            await File.WriteAllTextAsync(file + ".new", "carried to the node");
            File.Move(file + ".new", file);
            await cluster.WaitOnlineAsync(Nodes);
            await BlockSaysAsync(cluster, staging => staging is { } known && Number(known, "managers_done") == Nodes && Number(known, "files_done") == Nodes
                && Number(known, "bytes_done") == Nodes * 19 && Number(known, "bytes") == Nodes * 19 && known.GetProperty("problem").GetString() == "");
            var function = await cluster.Api.RegisterAsync(ReadFile + s_comment, "read_file");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "read", Enumerable.Repeat("[\"words.txt\"]", 40)));
            var results = (await cluster.Api.WaitAsync("read", 40)).Values.Select(static result => JsonSerializer.Deserialize<string[]>(result.Text)!).ToList();
            results.ShouldAllBe(static result => result[1] == "carried to the node");
            results.Select(static result => result[0]).Distinct().Count().ShouldBe(Nodes);

            // To the leader of a world once, to each manager with a connection of its own.
            using var status = await cluster.Endpoint.StatusAsync();
            Number(status!.RootElement.GetProperty("dispatch").GetProperty("hops"), "functions_sent").ShouldBe(functionsSent);

            // And from there to the other one by MPI.
            await HopsSayAsync(cluster, hops => transport == "mpi"
                ? Number(hops, "functions_received") == 1 && Number(hops, "function_bytes_received") > 50_000 && Number(hops, "function_bytes_sent") == Number(hops, "function_bytes_received")
                : Number(hops, "functions_received") + Number(hops, "function_bytes_received") + Number(hops, "function_bytes_sent") == 0);
        });
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [LongData("mpi")]
    [LongData("tcp")]
    public async Task A_full_disk_is_told_and_staging_goes_on_when_there_is_room(string transport)
    {
        await using var disk = await SmallDisk.MountAsync(megabytes: 8);
        var folder = LocalCluster.NewDirectory("staged");
        var file = Path.Combine(folder, "data.bin");
        await File.WriteAllBytesAsync(file, new byte[4 << 20]);
        disk.Fill(leaveBytes: 1 << 20);
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(
                new EndpointOptions { Nodes = Nodes, WorkersPerNode = 1, Transport = transport, MoreYaml = $"stage_in: [{file}]\ncontainers: {{cache: {{dir: {disk.Path}}}}}" }, managers: 0);
            await cluster.NoteSaysAsync("No space left on device");
            (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.Managers.ShouldBe(0);
            disk.Clear();
            await cluster.WaitOnlineAsync(Nodes);
            await BlockSaysAsync(cluster, staging => staging is { } known && Number(known, "managers_done") == Nodes && known.GetProperty("problem").GetString() == "");
            Directory.EnumerateFiles(disk.Path, "data.bin", SearchOption.AllDirectories).ShouldHaveSingleItem("the managers of a node share the cache");
        });
        Directory.Delete(folder, recursive: true);
    }

    private static long Number(JsonElement section, string name) => section.GetProperty(name).GetInt64();

    private static Task HopsSayAsync(LocalCluster cluster, Func<JsonElement, bool> says)
    {
        var seen = "";
        return Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                if (status is null)
                    return false;
                var hops = status.RootElement.GetProperty("dispatch").GetProperty("manager_hops");
                seen = hops.GetRawText();
                return says(hops);
            },
            "the managers say what they have had of functions",
            seen: () => seen);
    }

    private static Task BlockSaysAsync(LocalCluster cluster, Func<JsonElement?, bool> says)
    {
        var seen = "";
        return Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                if (status is null)
                    return false;
                seen = status.RootElement.GetRawText();
                var block = status.RootElement.GetProperty("blocks").EnumerateArray().FirstOrDefault();
                return says(block.ValueKind == JsonValueKind.Object && block.GetProperty("staging") is { ValueKind: JsonValueKind.Object } staging ? staging : null);
            },
            "the block says how far staging is",
            seen: () => seen);
    }
}
