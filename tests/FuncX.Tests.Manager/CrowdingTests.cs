using System.Text;
using FuncX.Manager.Interop;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Whether a thread has to wait for processors.</summary>
public sealed class CrowdingTests
{
    [Fact]
    public void A_thread_that_waits_longer_for_its_turns_than_waking_up_takes_is_in_a_crowd()
    {
        var crowding = new Crowding(patience: 100);
        crowding.Look(new ProcessorWait(70_000, 1_000));
        crowding.Look(new ProcessorWait(70_900, 1_010)).ShouldBeFalse();
        crowding.Look(new ProcessorWait(71_950, 1_020)).ShouldBeTrue();
        crowding.Look(new ProcessorWait(71_950, 1_020)).ShouldBeFalse("it has run all the time");
        crowding.Look(new ProcessorWait(74_950, 1_021)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("180043111 262499 14\n", 262, 14)]
    [InlineData("0 999 1\n", 0, 1)]
    [InlineData("1 18446744073709551615 1\n", 0, 0)]
    [InlineData("1 2000", 0, 0)]
    [InlineData("1 2000 ", 0, 0)]
    [InlineData("", 0, 0)]
    [InlineData("12", 0, 0)]
    public void The_kernels_line_is_read_or_nobody_is_known_to_wait(string line, long microseconds, long turns) =>
        ProcessorWait.Parse(Encoding.ASCII.GetBytes(line)).ShouldBe(new ProcessorWait(microseconds, turns));

    [Fact]
    public void A_thread_among_more_busy_ones_than_there_are_processors_is_in_a_crowd()
    {
        Assert.SkipUnless(File.Exists("/proc/thread-self/schedstat"), "this kernel does not count for how long threads wait (CONFIG_SCHED_INFO)");
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var others = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() => Spin(() => end.IsCancellationRequested)) { IsBackground = true }).ToList();
        others.ForEach(static other => other.Start());
        var crowding = new Crowding(patience: 100);
        crowding.Look();
        var crowded = false;
        Spin(() => end.IsCancellationRequested || (crowded = crowding.Look()));
        crowded.ShouldBeTrue();
        end.Cancel();
        others.ForEach(static other => other.Join());
    }

    private static void Spin(Func<bool> ended)
    {
        while (!ended())
            Thread.SpinWait(100);
    }
}
