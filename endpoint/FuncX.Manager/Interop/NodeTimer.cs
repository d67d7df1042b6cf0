using System.Diagnostics;

namespace FuncX.Manager.Interop;

/// <summary>
/// One timerfd for everything the node waits for. Arming from another thread needs no wake-up of the polling one. It is only moved
/// earlier; who is told looks at all dues and arms again, so an idle node has no timer at all.
/// </summary>
internal sealed unsafe class NodeTimer
{
    private long _armed = long.MaxValue;

    public NodeTimer()
    {
        Descriptor = Libc.TimerFdCreate(Libc.CLOCK_MONOTONIC, Libc.TFD_FLAGS);
        if (Descriptor < 0)
            throw new InvalidOperationException($"timerfd_create failed: {Libc.LastError()}");
    }

    public int Descriptor { get; }

    /// <summary>Microseconds of a clock that never jumps.</summary>
    public static long Now => (long)(Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000.0));

    /// <summary>Makes sure the timer fires at <paramref name="due"/> or before.</summary>
    public void Arm(long due, long now)
    {
        if (due >= _armed)
            return;
        _armed = due;
        var wait = Math.Max(1, due - now);
        var value = new Libc.Itimerspec { ValueSeconds = wait / 1_000_000, ValueNanoseconds = wait % 1_000_000 * 1000 };
        if (Libc.TimerFdSet(Descriptor, 0, &value, null) < 0)
            throw new InvalidOperationException($"timerfd_settime failed: {Libc.LastError()}");
    }

    /// <summary>Takes note that it fired.</summary>
    public void Fired()
    {
        ulong count;
        _ = Libc.Read(Descriptor, &count, sizeof(ulong));
        _armed = long.MaxValue;
    }
}
