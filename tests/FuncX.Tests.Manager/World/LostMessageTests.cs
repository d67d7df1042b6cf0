using FuncX.Manager.World;
using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Mpi.Libraries;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>A leader and its own manager, which send each other messages by an MPI of which some fail.</summary>
public sealed class LostMessageTests
{
    private static readonly string s_down = $"FAILING_TAG={WorldTag.Frames}";
    private static readonly string s_up = $"FAILING_TAG={WorldTag.FramesUp}";

    [Theory]
    [InlineData("LOSES")]
    [InlineData("REFUSES")]
    public void A_rank_to_which_a_message_was_lost_says_hello_again_and_has_what_was_in_it(string how)
    {
        using var library = new FakeLibrary(s_down, how, "FAILING_FIRST=3", "FAILING_LAST=3");
        using var world = World(library).Ready();
        for (var i = 0; i < 6; i++)
            world.Run(1, "echo", $"[{i}]").Value.ShouldBe($"{i}");
        world.Endpoint.Gone.ShouldBe([1u]);
        world.Endpoint.Managers[1].Hellos.ShouldBe(2);
        world.Said.ShouldContain("rank 0 has lost a message: ");
        world.Said.ShouldContain("the fake's text");
    }

    [Fact]
    public void A_result_that_the_leader_could_not_receive_is_sent_again()
    {
        using var library = new FakeLibrary(s_up, "SPOILS_RECEIVES", "FAILING_LAST=1");
        using var world = World(library).Ready();
        world.Run(1, "big", "[8000]").Value.ShouldBe($"\"{new string('y', 8000)}\"");
        world.Endpoint.Managers[1].Hellos.ShouldBe(2);
        world.Run(1, "echo", "[1]").Value.ShouldBe("1");
    }

    // 32 messages of 256 KiB are more than a window of 4 MiB.
    [Theory]
    [LongData("LOSES")]
    [LongData("REFUSES")]
    [InlineData("SPOILS_RECEIVES")]
    public void What_was_lost_takes_no_room_of_what_comes_later(string how)
    {
        using var library = new FakeLibrary(how == "SPOILS_RECEIVES" ? s_up : s_down, how, "FAILING_LAST=32");
        using var world = World(library).Ready();
        var (function, arguments) = how == "SPOILS_RECEIVES" ? ("big", "[1000000]") : ("length", $"[\"{new string('z', 1_000_000)}\"]");
        world.Result(world.Submit(1, function, arguments), seconds: 60).Value.Length.ShouldBe(function == "big" ? 1_000_002 : 7);
        world.Endpoint.Managers[1].Hellos.ShouldBeGreaterThan(3);
    }

    [Fact]
    public void A_function_that_arrives_as_another_is_asked_for_again_and_runs_as_it_was_sent()
    {
        using var library = new FakeLibrary("FLIPS=\"intact\"");
        using var world = World(library).Ready();
        world.Endpoint.MoreSource = "\ndef spoilt(): return 'intact'";
        world.Run(1, "begin", $"[\"{world.Folder}/begun\",\"spoilt\"]").Value.ShouldBe("\"intact\"");
        world.Eventually(() => world.Said.Contains("came with SHA-256 ", StringComparison.Ordinal), "the word that it was another");
        world.Endpoint.FunctionsSent.ShouldBe(1);
        world.Endpoint.Managers[1].Hellos.ShouldBe(1);
    }

    [Fact]
    public void A_rank_that_has_lost_a_message_to_its_leader_ends_and_says_so()
    {
        using var library = new FakeLibrary(s_up, "LOSES", "FAILING_LAST=1");
        using var world = World(library);
        ShouldEnd(world);
    }

    [Fact]
    public void A_rank_that_could_not_receive_a_message_of_its_leader_ends_and_says_so()
    {
        using var library = new FakeLibrary(s_down, "SPOILS_RECEIVES", "FAILING_LAST=1");
        using var world = World(library).Ready();
        world.Submit(1, "length", $"[\"{new string('z', 100_000)}\"]");
        ShouldEnd(world);
    }

    private static WorldUnderTest World(FakeLibrary library) => new(Launcher.Mpich, ranks: 1, heartbeatMs: 300, library: library.Path);

    private static void ShouldEnd(WorldUnderTest world)
    {
        world.WaitForEnd();
        world.Process.ExitCode.ShouldBe(WorldMember.LostMessage);
        world.Said.ShouldContain("rank 0 has lost a message to its leader or from there: ");
        world.Said.ShouldContain("the fake's text");
    }
}
