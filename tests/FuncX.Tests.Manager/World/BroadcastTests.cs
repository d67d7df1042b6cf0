using System.Text.Json;
using FuncX.Cluster;
using FuncX.Tests.Integration.Harness;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>Files of <c>stage_in</c> and the code of functions, brought to the ranks of real worlds.</summary>
[Collection("worlds")]
public sealed class BroadcastTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-broadcast-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(Launcher.OpenMpi, 4)]
    [LongData(Launcher.Mpich, 4)]
    [LongData(Launcher.OpenMpi, 16)]
    [LongData(Launcher.Mpich, 16)]
    public void Every_rank_has_the_files_before_it_takes_work_and_the_source_was_opened_once(Launcher launcher, int ranks)
    {
        var large = Write("model.bin", 9_000_001);
        string[] files = [large, Write("empty", 0), Write("tool", 300_000)];
        File.SetUnixFileMode(files[2], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using var reads = new FileReads(large);
        using var world = new WorldUnderTest(launcher, ranks, stage: new { files }).Ready();
        reads.Opens.ShouldBe(1);
        var directories = new HashSet<string>();
        foreach (var manager in world.Endpoint.Managers.Keys)
        {
            var directory = StageOf(world, manager);
            directories.Add(directory).ShouldBeTrue();
            Directory.EnumerateFiles(directory).Select(Path.GetFileName).ShouldBe(["model.bin", "empty", "tool"], ignoreOrder: true);
            foreach (var file in files)
                File.ReadAllBytes(Path.Combine(directory, Path.GetFileName(file))).AsSpan().SequenceEqual(File.ReadAllBytes(file)).ShouldBeTrue($"{file} of rank {manager - 1}");
            File.GetUnixFileMode(Path.Combine(directory, "tool")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserExecute);
            File.GetUnixFileMode(Path.Combine(directory, "empty")).ShouldBe(UnixFileMode.UserRead);
        }

        world.Eventually(() => world.Endpoint.Managers.Values.All(static manager => Staging(manager) is { } staging
            && staging.GetProperty("files_done").GetInt32() == 3 && staging.GetProperty("files").GetInt32() == 3
            && staging.GetProperty("bytes_done").GetInt64() == 9_300_001 && staging.GetProperty("bytes").GetInt64() == 9_300_001), "each to say that it has all");
        world.Endpoint.Gone.ShouldBeEmpty();
    }

    [Theory]
    [LongData(Launcher.Mpich)]
    [LongData(Launcher.OpenMpi)]
    public void Ranks_that_share_a_cache_bring_a_file_once_and_the_next_world_brings_none(Launcher launcher)
    {
        var source = Write("data.bin", 5_000_000);
        var cache = Path.Combine(_folder, "cache");
        using var reads = new FileReads(source);
        for (var round = 0; round < 2; round++)
        {
            using var world = new WorldUnderTest(launcher, 4, stage: new { files = (string[])[source], cache }).Ready();
            world.Endpoint.Managers.Keys.Select(manager => StageOf(world, manager)).Distinct().ShouldHaveSingleItem().ShouldStartWith(cache);
        }

        reads.Opens.ShouldBe(1);
        Directory.EnumerateFiles(Path.Combine(Directory.EnumerateDirectories(cache).Single(), "files")).Where(static file => !file.EndsWith(".lock")).ShouldHaveSingleItem();
    }

    [Theory]
    [LongData(Launcher.OpenMpi, "KILL")]
    [InlineData(Launcher.OpenMpi, "STOP")]
    [LongData(Launcher.Mpich, "STOP")]
    public void A_file_that_is_missing_is_told_and_a_rank_that_does_not_answer_holds_up_nobody_when_it_comes(Launcher launcher, string signal)
    {
        const int Ranks = 6;
        var late = Path.Combine(_folder, "late.bin");
        using var world = new WorldUnderTest(launcher, Ranks, heartbeatMs: 300, launcherOptions: signal == "KILL" ? ["--enable-recovery"] : [], stage: new { files = (string[])[late] });
        world.Eventually(
            () => world.Endpoint.Managers.Count == Ranks && world.Endpoint.Managers.Values.All(manager => Staging(manager)?.GetProperty("problem").GetString()!.Contains($"{late} is not there on node", StringComparison.Ordinal) == true),
            "each to say what is missing", seconds: 60);
        world.Endpoint.Present.ShouldBe(0);

        // Ranks 3 and 4 are below rank 1.
        world.Signal(world.Endpoint.Managers[2].Pid, signal);
        File.Move(Write("written", 3_000_000), late);
        world.Eventually(() => world.Endpoint.Present == Ranks - 1, "the others to be ready");
        foreach (var manager in world.Endpoint.Managers.Keys.Where(static number => number != 2))
            new FileInfo(Path.Combine(StageOf(world, manager), "late.bin")).Length.ShouldBe(3_000_000);
        if (signal == "KILL")
            return;
        world.Signal(world.Endpoint.Managers[2].Pid, "CONT");
        world.Eventually(() => world.Endpoint.Present == Ranks, "all to be ready");
        new FileInfo(Path.Combine(StageOf(world, 2), "late.bin")).Length.ShouldBe(3_000_000);
    }

    [Theory]
    [LongData(Launcher.OpenMpi)]
    [LongData(Launcher.Mpich)]
    public void The_code_of_a_function_crosses_the_endpoints_connection_once_for_all_ranks(Launcher launcher)
    {
        using var world = new WorldUnderTest(launcher, 4).Ready();
        world.Endpoint.MoreSource = $"\n# {new string('c', 700_000)}\n";
        foreach (var manager in world.Endpoint.Managers.Keys)
            world.Run(manager, "echo", $"[{manager}]").Value.ShouldBe($"{manager}");
        world.Endpoint.FunctionsSent.ShouldBe(1);
        world.Endpoint.Disconnect();
        world.Eventually(() => world.Endpoint.Connections == 2 && world.Endpoint.Present == 4, "the world again");
        world.Run(3, "echo", "[7]").Value.ShouldBe("7");
        world.Endpoint.FunctionsSent.ShouldBe(2);
    }

    private static JsonElement? Staging(WorldEndpoint.PlayedManager manager) =>
        manager.Status.ValueKind == JsonValueKind.Object && manager.Status.TryGetProperty("staging", out var staging) ? staging : null;

    private static string StageOf(WorldUnderTest world, uint manager)
    {
        var answer = world.Run(manager, "variable", "[\"FUNCX_STAGE_DIR\"]");
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.Value);
        return JsonSerializer.Deserialize<string>(answer.Value)!;
    }

    private string Write(string name, int bytes)
    {
        var content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
