using FuncX.Manager.Interop;
using FuncX.Manager.Workers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Reading a large result gives way to whoever waits for a processor.</summary>
public sealed class ReadingPaceTests
{
    private readonly ReadingPace _pace = new();

    [Fact]
    public void Nothing_rests_while_the_processors_are_free()
    {
        _pace.Begin(now: 1_000_000, waited: 70_000);
        _pace.OnPart(now: 1_000_800, took: 500, waited: 70_100).ShouldBe(0);
        _pace.OnPart(now: 1_001_600, took: 500, waited: 70_150).ShouldBe(0);
    }

    [Fact]
    public void Reading_rests_twice_as_long_as_it_took_while_its_thread_has_to_wait_for_a_processor()
    {
        _pace.Begin(now: 1_000_000, waited: 70_000);
        _pace.OnPart(now: 1_000_800, took: 500, waited: 70_101).ShouldBe(1_000);
        _pace.OnPart(now: 1_002_400, took: 600, waited: 70_900).ShouldBe(1_200);
        _pace.OnPart(now: 1_022_400, took: 15_000, waited: 85_000).ShouldBe(ReadingPace.LongestRest);
        _pace.OnPart(now: 1_030_000, took: 500, waited: 85_010).ShouldBe(0);
    }

    [Theory]
    [InlineData("180043111 262499 14\n", 262)]
    [InlineData("0 999 1\n", 0)]
    [InlineData("1 18446744073709551615 1\n", 0)]
    [InlineData("", 0)]
    [InlineData("12", 0)]
    public void The_kernels_line_is_read_or_nobody_is_known_to_wait(string line, long microseconds) =>
        ProcessorWait.Parse(System.Text.Encoding.ASCII.GetBytes(line)).ShouldBe(microseconds);

    [Fact]
    public void A_thread_among_more_busy_ones_than_there_are_processors_waits()
    {
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var before = new ProcessorWait().Microseconds;
        var others = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() => Spin(() => end.IsCancellationRequested)) { IsBackground = true }).ToList();
        others.ForEach(static other => other.Start());
        var wait = new ProcessorWait();
        Spin(() => end.IsCancellationRequested || wait.Microseconds - before > 5_000);
        (wait.Microseconds - before).ShouldBeGreaterThan(5_000);
        end.Cancel();
        others.ForEach(static other => other.Join());
    }

    private static void Spin(Func<bool> ended)
    {
        while (!ended())
            Thread.SpinWait(100);
    }
}
