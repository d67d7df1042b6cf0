using System.Text.Json;
using FuncX.Tests.Integration.Harness;
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

    [Fact]
    public void A_manager_whose_job_ends_says_when_and_gives_back_what_would_not_end_before()
    {
        // Of a job that ends in 70 s the last ten are not for tasks.
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1), walltime: 70).Ready();
        using var hello = JsonDocument.Parse(node.Endpoint.Hellos.First());
        hello.RootElement.GetProperty("ends_in_ms").GetInt64().ShouldBeInRange(1, 60_000);
        var (fits, tooLong, endless) = (node.Submit("echo", "[1]", tweak: Walltime(5_000)), node.Submit("echo", "[2]", tweak: Walltime(60_500)), node.Submit("echo", "[3]"));
        node.Result(fits).Value.ShouldBe("1");
        node.Result(endless).Value.ShouldBe("3");
        node.Eventually(() => node.Endpoint.Returned.Contains(tooLong), "the task comes back");
        node.Endpoint.Results.ContainsKey(tooLong).ShouldBeFalse();

        static Action<EndpointStandIn.Tweak> Walltime(uint milliseconds) => options => options.WalltimeMilliseconds = milliseconds;
    }

    [Fact]
    public void A_manager_whose_job_is_made_longer_runs_what_would_not_have_ended_before()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1), walltime: 70).Ready();
        var tooLong = node.Submit("echo", "[1]", tweak: Walltime);
        node.Eventually(() => node.Endpoint.Returned.Contains(tooLong), "the task comes back");
        node.Endpoint.JobEnds(DateTimeOffset.UtcNow.AddMinutes(10));
        node.Result(node.Submit("echo", "[2]", tweak: Walltime)).Value.ShouldBe("2");

        // Never shorter: what is told may be older than what is known.
        node.Endpoint.JobEnds(DateTimeOffset.UtcNow.AddSeconds(20));
        node.Endpoint.JobEnds(DateTimeOffset.UnixEpoch);
        node.Result(node.Submit("echo", "[3]", tweak: Walltime)).Value.ShouldBe("3");
        node.Said.ShouldContain("later than was known");

        static void Walltime(EndpointStandIn.Tweak options) => options.WalltimeMilliseconds = 65_000;
    }

    [Theory]
    [LongData(30)]
    public void A_manager_whose_job_is_made_longer_drains_later(int walltime)
    {
        // Twenty seconds are left for the drain of a short job, so it would begin after ten.
        var begun = System.Diagnostics.Stopwatch.StartNew();
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1), walltime: walltime).Ready();
        node.Endpoint.JobEnds(DateTimeOffset.UtcNow.AddMinutes(10));
        node.Eventually(() => begun.Elapsed > TimeSpan.FromSeconds(walltime - 18), "the time at which it would have begun to drain");
        node.Run("echo", "[1]").Value.ShouldBe("1");
        node.Endpoint.Statuses.Any(static status => status.RootElement.TryGetProperty("draining", out _)).ShouldBeFalse();
    }

    [Fact]
    public void A_manager_drains_by_itself_before_its_job_ends()
    {
        // Twenty seconds are left for the drain of a short job, so it begins at once.
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1), walltime: 20).Ready();
        node.Eventually(() => node.Endpoint.Statuses.Any(static status => status.RootElement.TryGetProperty("draining", out var draining) && draining.GetBoolean()), "the manager to drain");
        node.Eventually(() => node.Process.HasExited, "the manager to end");
        node.Process.ExitCode.ShouldBe(0);
    }

    [Fact]
    public void What_the_order_to_end_cuts_off_is_told_apart_from_what_kills_its_worker()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        var crash = node.Run("crash");
        (crash.Prefix.Outcome, crash.Header.Flags).ShouldBe((TaskOutcome.AttemptLost, FrameFlags.None));
        var running = node.Start("nap", "600");
        NodeUnderTest.Terminate(node.Process.Id);
        var cutOff = node.Result(running);
        (cutOff.Prefix.Outcome, cutOff.Header.Flags).ShouldBe((TaskOutcome.AttemptLost, FrameFlags.CutOff));
        cutOff.Value.ShouldContain("was cut off: node node1 was told to end");
    }

    /// <summary>As Slurm signals every process of a step, in an order of its own.</summary>
    [Theory]
    [InlineData("pid")]
    [InlineData("zygote")]
    public void What_a_signal_to_every_process_cuts_off_is_no_loss_whomever_it_reaches_first(string first)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        var other = int.Parse(node.Run(first).Value);
        var running = node.Start("nap", "600");
        NodeUnderTest.Terminate(other, node.Process.Id);
        var cutOff = node.Result(running);
        (cutOff.Prefix.Outcome, cutOff.Header.Flags).ShouldBe((TaskOutcome.AttemptLost, FrameFlags.CutOff), cutOff.Value);
    }

    [Fact]
    public void A_worker_that_somebody_ends_by_the_same_signal_alone_is_lost()
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        var worker = int.Parse(node.Run("pid").Value);
        var running = node.Start("nap", "600");
        NodeUnderTest.Terminate(worker);
        var lost = node.Result(running);
        (lost.Prefix.Outcome, lost.Header.Flags).ShouldBe((TaskOutcome.AttemptLost, FrameFlags.None));
        lost.Value.ShouldContain("died of signal 15 (SIGTERM)");
        node.Run("echo", "[1]").Value.ShouldBe("1");
    }

    /// <summary>Its worker outlives the signal, which is for the command, and answers.</summary>
    [Theory]
    [InlineData(true, false, FrameFlags.CutOff)]
    [InlineData(true, true, FrameFlags.CutOff)]
    [InlineData(false, true, FrameFlags.None)]
    public void A_command_that_a_signal_from_outside_ended_has_not_failed(bool withManager, bool workerFirst, FrameFlags flags)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 1)).Ready();
        var begun = Path.Combine(node.Folder, "begun");
        var running = node.SubmitCommand(JsonSerializer.Serialize(new { command = (string[])["sh", "-c", "echo said; : > \"$0\"; exec sleep 600", begun] }));
        node.Eventually(() => File.Exists(begun), "the command to run");
        var worker = node.Left().Single(static pid => File.ReadAllText($"/proc/{pid}/cmdline").Contains("--command-worker", StringComparison.Ordinal));
        NodeUnderTest.Terminate(!withManager ? [worker] : workerFirst ? [worker, node.Process.Id] : [node.Process.Id, worker]);
        var answer = node.Result(running);
        (answer.Prefix.Outcome, answer.Header.Flags).ShouldBe((TaskOutcome.AttemptLost, flags), answer.Value);
        answer.Prefix.StdoutBytes.ShouldBe("said\n".Length);
        if (!withManager)
            node.Result(node.SubmitCommand("""{"command": ["echo", "again"]}""")).Value.ShouldContain("again");
    }
}
