using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>What workers and zygotes send is user code's: it costs their own tasks and nothing else of the node.</summary>
public sealed class MalformedFramesTests(ITestOutputHelper output)
{
    // More of them, and what comes over the network, are in the integration tests: MalformedTests.
    private static readonly int Frames = Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") is "1" ? 10_000 : 2_000;

    [Theory]
    [InlineData("worker_says_null", 0)]
    [InlineData("short_segmented", 1)]
    [InlineData("segmented_that_is_short", 1)]
    [InlineData("segment_of_another", 1)]
    [InlineData("segmented_in_ring", 1)]
    [InlineData("other_attempt", 1)]
    [InlineData("wild_time", 1)]
    [InlineData("unknown_content", 1)]
    [InlineData("ring_that_only_wraps", 1)]
    [InlineData("ring_cut_off", 1)]
    [InlineData("hello_again", 1)]
    [InlineData("zygote_says_null", 0)]
    [InlineData("zygote_names_pid_1", 0)]
    public void A_malformed_frame_costs_its_own_worker_and_at_most_its_task(string what, int lost)
    {
        using var node = Node(what, perNode: 1).Ready();
        var task = node.Submit("echo", "[1]");
        var answer = node.Result(task);
        if (lost > 0)
        {
            answer.Prefix.Outcome.ShouldBe(TaskOutcome.AttemptLost);
            answer.Value.ShouldContain("while it ran the task; ");
        }
        else
        {
            answer.Value.ShouldBe("1");
        }

        node.Run("echo", "[2]").Value.ShouldBe("2");
        node.Endpoint.Results[task].Count.ShouldBe(1);
        node.Endpoint.Connections.ShouldBe(1);
    }

    [Fact]
    public void What_a_zygote_tells_at_length_is_cut_and_leaves_the_link()
    {
        using var node = Node("zygote_tells_at_length", perNode: 1).Ready();
        node.Run("echo", "[1]").Value.ShouldBe("1");
        string? note = null;
        node.Eventually(
            () => (note = node.Endpoint.Statuses.Select(static status => status.RootElement.GetProperty("note").GetString()).FirstOrDefault(static text => text!.Contains("<<<", StringComparison.Ordinal))) is not null,
            "a status with what the zygote told");
        note!.Length.ShouldBeLessThan(5_000);
        note.ShouldEndWith("more characters were cut]");
        node.Run("echo", "[2]").Value.ShouldBe("2");
        node.Endpoint.Connections.ShouldBe(1);
    }

    [Fact]
    public void Thousands_of_malformed_frames_leave_the_manager_and_the_other_owner_working()
    {
        var seed = Environment.GetEnvironmentVariable("FUNCX_TESTS_SEED") is { Length: > 0 } given ? int.Parse(given) : Random.Shared.Next(1_000_000);
        output.WriteLine($"FUNCX_TESTS_SEED={seed}");
        using var node = Node($"fuzz {seed}", perNode: 9).Ready();
        var bob = node.Run("zygote", owner: 2).Value;
        var sent = Path.Combine(node.Folder, "sent");
        var submitted = new List<TaskId>();
        while (!File.Exists(sent) || new FileInfo(sent).Length < Frames)
        {
            var ids = Enumerable.Range(0, 64).Select(_ => node.Submit("echo", "[1]")).ToArray();
            submitted.AddRange(ids);
            node.Eventually(() => ids.All(id => node.Endpoint.First(id) is not null), $"results of all tasks, with FUNCX_TESTS_SEED={seed}", 120);
            node.Run("zygote", owner: 2).Value.ShouldBe(bob, "the other owner's processes went on");
        }

        File.WriteAllText(Path.Combine(node.Folder, "calm"), "");
        // Three failed starts in a row have an owner's tasks refused for half a minute; after it they run.
        node.Eventually(() => node.Run("echo", "[\"fine\"]").Value == "\"fine\"", $"a good task, with FUNCX_TESTS_SEED={seed}", 90);
        node.Run("zygote", owner: 2).Value.ShouldBe(bob);
        node.Endpoint.Connections.ShouldBe(1, "nothing that a worker sent broke the link");
        foreach (var id in submitted)
            node.Endpoint.Results[id].Count.ShouldBe(1);
        output.WriteLine($"{new FileInfo(sent).Length} malformed frames, {submitted.Count} tasks");
    }

    private static NodeUnderTest Node(string what, int perNode)
    {
        var node = new NodeUnderTest(folder => NodeUnderTest.Settings(perNode, python: Path.Combine(folder, "python")));
        File.WriteAllText(Path.Combine(node.Folder, "case"), what);
        File.Copy(Path.Combine(AppContext.BaseDirectory, "malformed_python.py"), Path.Combine(node.Folder, "python"));
        File.SetUnixFileMode(Path.Combine(node.Folder, "python"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return node;
    }
}
