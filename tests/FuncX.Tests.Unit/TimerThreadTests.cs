using System.Diagnostics;
using FuncX.Configuration;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class TimerThreadTests
{
    private readonly TimeProvider _time = TimerThread.For(TimeProvider.System, "tested timers");

    [Fact]
    public async Task Timers_fire_in_the_order_of_their_times_and_none_early()
    {
        var begun = Stopwatch.GetTimestamp();
        var fired = new List<(int Wait, double After)>();
        var all = new CountdownEvent(5);
        List<ITimer> timers = [];
        foreach (var wait in new[] { 300, 100, 0, 200, 400 })
            timers.Add(_time.CreateTimer(_ => { fired.Add((wait, Stopwatch.GetElapsedTime(begun).TotalMilliseconds)); all.Signal(); }, null, TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan));
        Assert.True(await Task.Run(() => all.Wait(TimeSpan.FromSeconds(30))));

        Assert.Equal([0, 100, 200, 300, 400], fired.Select(static one => one.Wait));
        // The tick count may be a few milliseconds behind.
        Assert.All(fired, static one => Assert.True(one.After > one.Wait - 20, $"{one.Wait} ms fired after {one.After}"));
        timers.ForEach(static timer => timer.Dispose());
    }

    [Fact]
    public async Task A_periodic_timer_fires_again_and_again_until_it_is_disposed()
    {
        var count = 0;
        var three = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var timer = _time.CreateTimer(_ => { if (Interlocked.Increment(ref count) == 3) three.TrySetResult(); }, null, TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(5));
        await three.Task.WaitAsync(TimeSpan.FromSeconds(30));
        timer.Dispose();
        Assert.False(timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan));
        await Task.Delay(30);
        var then = Volatile.Read(ref count);
        await Task.Delay(100);
        Assert.Equal(then, Volatile.Read(ref count));
    }

    [Fact]
    public async Task A_timer_that_is_set_earlier_fires_earlier_and_one_that_is_set_to_never_does_not()
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isFired = false;
        using var timer = _time.CreateTimer(_ => fired.TrySetResult(), null, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);
        using var other = _time.CreateTimer(_ => isFired = true, null, TimeSpan.FromMilliseconds(200), Timeout.InfiniteTimeSpan);
        Assert.True(other.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        Assert.True(timer.Change(TimeSpan.FromMilliseconds(10), Timeout.InfiniteTimeSpan));
        await fired.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await Task.Delay(300);
        Assert.False(isFired);
    }

    [Fact]
    public async Task A_callback_may_set_its_own_timer()
    {
        var count = 0;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ITimer? timer = null;
        timer = _time.CreateTimer(_ =>
        {
            if (++count == 5)
                done.TrySetResult();
            else
                timer!.Change(TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }, null, TimeSpan.FromMilliseconds(50), Timeout.InfiniteTimeSpan);
        await done.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(5, count);
        timer.Dispose();
    }

    [Fact]
    public async Task Delays_and_periodic_timers_work_with_it()
    {
        await Task.Delay(TimeSpan.FromMilliseconds(20), _time);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5), _time);
        for (var i = 0; i < 3; i++)
            Assert.True(await timer.WaitForNextTickAsync());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(20), _time);
            await Task.Delay(Timeout.InfiniteTimeSpan, limit.Token);
        });
    }

    [Fact]
    public void A_clock_of_a_test_stays_what_it_is_and_negative_times_are_refused()
    {
        var played = new FakeTimeProvider();
        Assert.Same(played, TimerThread.For(played, "none"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _time.CreateTimer(static _ => { }, null, TimeSpan.FromSeconds(-5), Timeout.InfiniteTimeSpan));
    }
}
