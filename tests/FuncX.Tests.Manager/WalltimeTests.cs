using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class WalltimeTests
{
    [Theory]
    [InlineData("fork", false)]
    [InlineData("fork", true)]
    [InlineData("spawn", false)]
    public void A_task_over_its_walltime_and_its_children_are_told_to_end_before_they_are_killed(string isolation, bool raises)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1, isolation: isolation)).Ready();
        node.Run("echo", "[1]");
        var slow = node.Submit("told_to_end", $"[\"{node.Folder}\", {(raises ? "true" : "false")}]", tweak: static options => options.WalltimeMilliseconds = 5_000);
        node.Eventually(() => File.Exists(Path.Combine(node.Folder, "child")), "the task's child to run");
        var child = int.Parse(File.ReadAllText(Path.Combine(node.Folder, "child")));
        var answer = node.Result(slow);
        answer.Prefix.Outcome.ShouldBe(TaskOutcome.TimedOut);
        answer.Value.ShouldContain("ran longer than its walltime of 5000 ms");
        // Written by handlers of SIGTERM: with SIGKILL at once neither would be there.
        File.Exists(Path.Combine(node.Folder, "told")).ShouldBeTrue();
        node.Eventually(() => !Directory.Exists($"/proc/{child}"), "the task's child to be gone");
        File.Exists(Path.Combine(node.Folder, "child-told")).ShouldBeTrue();
        node.Run("echo", "[2]").Value.ShouldBe("2");
        node.Endpoint.Results[slow].Count.ShouldBe(1);
    }
}
