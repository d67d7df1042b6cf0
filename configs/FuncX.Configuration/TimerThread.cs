namespace FuncX.Configuration;

/// <summary>
/// Timers that fire on one thread of their own. A timer of the runtime wakes the timer thread three or four times and two pool workers, which look for work for a while before they
/// sleep again: 0.6 ms of processor each time, where this takes 0.02. A daemon with nothing to do is made of such times. What is called back runs one after the other and must be short.
/// Measured by: bench footprint.
/// </summary>
public sealed class TimerThread : TimeProvider
{
    // Who waits over and over has no timer in between: the thread stays for a while.
    private static readonly TimeSpan s_linger = TimeSpan.FromSeconds(10);

    private readonly string _name;
    private readonly object _gate = new();
    private readonly List<Entry> _entries = [];
    private bool _running;

    private TimerThread(string name)
    {
        _name = name;
    }

    /// <summary>The system's time with timers of its own; a clock that is not the system's, as tests have, stays what it is.</summary>
    public static TimeProvider For(TimeProvider time, string name) => ReferenceEquals(time, System) ? new TimerThread(name) : time;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var entry = new Entry(this, callback, state);
        entry.Change(dueTime, period);
        return entry;
    }

    private static long Milliseconds(TimeSpan span, string name)
    {
        if (span != Timeout.InfiniteTimeSpan)
            ArgumentOutOfRangeException.ThrowIfLessThan(span, TimeSpan.Zero, name);
        return span == Timeout.InfiniteTimeSpan ? -1 : (long)Math.Ceiling(span.TotalMilliseconds);
    }

    private void Run()
    {
        var idleSince = Environment.TickCount64;
        while (true)
        {
            Entry? due;
            lock (_gate)
            {
                due = Earliest();
                var now = Environment.TickCount64;
                if (due is not null)
                    idleSince = now;
                var until = due?.Due ?? idleSince + (long)s_linger.TotalMilliseconds;
                if (until > now)
                {
                    Monitor.Wait(_gate, (int)Math.Min(until - now, int.MaxValue));
                    continue;
                }

                if (due is null)
                {
                    _running = false;
                    return;
                }

                due.Advance(now);
            }

            due.Fire();
        }
    }

    private Entry? Earliest()
    {
        Entry? earliest = null;
        foreach (var entry in _entries)
        {
            if (earliest is null || entry.Due < earliest.Due)
                earliest = entry;
        }

        return earliest;
    }

    private sealed class Entry(TimerThread owner, TimerCallback callback, object? state) : ITimer
    {
        private long _period;
        private bool _disposed;

        /// <summary>In milliseconds of the system's tick count.</summary>
        public long Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var (wait, every) = (Milliseconds(dueTime, nameof(dueTime)), Milliseconds(period, nameof(period)));
            lock (owner._gate)
            {
                if (_disposed)
                    return false;
                owner._entries.Remove(this);
                _period = every;
                if (wait < 0)
                    return true;
                Due = Environment.TickCount64 + wait;
                owner._entries.Add(this);
                if (!owner._running)
                {
                    owner._running = true;
                    new Thread(owner.Run) { IsBackground = true, Name = owner._name }.UnsafeStart();
                }
                else if (ReferenceEquals(owner.Earliest(), this))
                {
                    Monitor.Pulse(owner._gate);
                }
            }

            return true;
        }

        /// <summary>With the gate held: to the next time, or out of the list. What was missed is not made up for.</summary>
        public void Advance(long now)
        {
            if (_period > 0)
                Due = Math.Max(Due + _period, now + 1);
            else
                owner._entries.Remove(this);
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (owner._gate)
            {
                _disposed = true;
                owner._entries.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
