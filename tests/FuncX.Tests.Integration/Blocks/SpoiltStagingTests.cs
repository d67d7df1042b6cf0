using System.Security.Cryptography;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>A file of <c>stage_in</c> that does not reach a rank as its leader read it: a real world, whose leader's copy is changed while the other rank stands still.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SpoiltStagingTests
{
    private const int Ranks = 2;
    private const int Bytes = 3_000_000;

    [Fact]
    public async Task A_file_of_another_digest_is_told_and_not_kept_and_work_begins_when_it_comes_whole()
    {
        var folder = LocalCluster.NewDirectory("spoilt");
        var file = Path.Combine(folder, "model.bin");
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions { Nodes = Ranks, WorkersPerNode = 1, Transport = "mpi", MoreYaml = $"stage_in: [{file}]" }, managers: 0);
            await cluster.NoteSaysAsync($"{file} is not there on node");
            IReadOnlyList<RunningWorld> worlds = [];
            await Eventually.TrueAsync(() => (worlds = RunningWorld.Of(cluster, Ranks)).Count == 1, "a world runs");
            var other = worlds[0].Ranks[1];

            // The leader has read the file, checked it and offered it; the other rank has not begun to take it.
            other.Stop().ShouldBeTrue();
            var content = new byte[Bytes];
            new Random(Bytes).NextBytes(content);
            await File.WriteAllBytesAsync(file + ".new", content);
            File.Move(file + ".new", file);
            var digest = Convert.ToHexStringLower(SHA256.HashData(content));
            var copy = "";
            await Eventually.TrueAsync(() => (copy = Copies(cluster, digest).SingleOrDefault() ?? "").Length > 0 && new FileInfo(copy).Length == Bytes, "the leader has the file");
            WriteByte(copy, Bytes / 2, (byte)~content[Bytes / 2]);
            other.Continue();

            await cluster.NoteSaysAsync($"model.bin came with {Bytes} bytes of digest ");
            await cluster.NoteSaysAsync($"it should have {Bytes} of {digest}");
            var blocks = await EndpointCommand.RunAsync(cluster.DirectoryPath, "blocks", "--config", cluster.Endpoint.Configuration);
            blocks.ShouldEnd(0).Output.ShouldContain($"staged 1 of {Ranks} managers");
            Copies(cluster, digest).ShouldHaveSingleItem("what came wrong must not be kept");
            await Eventually.TrueAsync(() => !Found(cluster, "*.part").Any(), "no half file is left");

            WriteByte(copy, Bytes / 2, content[Bytes / 2]);
            await cluster.WaitOnlineAsync(Ranks);
            Copies(cluster, digest).Count().ShouldBe(Ranks);
            foreach (var staged in Found(cluster, "model.bin"))
                (await File.ReadAllBytesAsync(staged)).AsSpan().SequenceEqual(content).ShouldBeTrue(staged);
        });
        Directory.Delete(folder, recursive: true);
    }

    private static IEnumerable<string> Copies(LocalCluster cluster, string digest) => Found(cluster, digest);

    private static IEnumerable<string> Found(LocalCluster cluster, string pattern) => Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, pattern, SearchOption.AllDirectories);

    // In its place: who has it open reads the other byte.
    private static void WriteByte(string path, long at, byte value)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.Write(file, [value], at);
    }
}
