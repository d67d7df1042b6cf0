using FuncX.Configuration;

namespace FuncX.Endpoint.Dispatch;

/// <summary>The loop's timer: set anew only when something is due earlier than it is set for.</summary>
internal sealed class LoopClock(TimeProvider time)
{
    private readonly TimeProvider _timers = TimerThread.For(time, "loop clock");
    private readonly TickEvent _tick = new();
    private EndpointLoop? _loop;
    private ITimer? _timer;
    private long _armedFor = long.MaxValue;
    private int _posted;

    /// <summary>When once-a-second work is due, Unix microseconds.</summary>
    public long NextSecond { get; set; }

    public void Attach(EndpointLoop loop)
    {
        _loop = loop;
        _tick.Clock = this;
    }

    /// <summary>Sees to it that a tick comes at <paramref name="due"/>. On the loop.</summary>
    public void Arm(long due, long now)
    {
        if (due >= _armedFor)
            return;
        _armedFor = due;
        var wait = TimeSpan.FromMicroseconds(Math.Max(1000, due - now));
        if (_timer is null)
            _timer = _timers.CreateTimer(static state => ((LoopClock)state!).Post(), this, wait, Timeout.InfiniteTimeSpan);
        else
            _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void Post()
    {
        if (Interlocked.Exchange(ref _posted, 1) == 0)
            _loop!.Post(_tick);
    }

    private sealed class TickEvent : LoopEvent
    {
        public LoopClock? Clock { get; set; }

        internal override void Handle(Dispatcher dispatcher)
        {
            Clock!._armedFor = long.MaxValue;
            Volatile.Write(ref Clock._posted, 0);
            dispatcher.OnTick();
        }
    }
}
