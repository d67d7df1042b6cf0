using FuncX.Manager.Interop;

namespace FuncX.Manager.World;

/// <summary>The MPI thread's sleep, which ends at once when another thread has something for it. Telling a thread that is awake costs no system call.</summary>
internal sealed unsafe class WorldWake
{
    private readonly int _descriptor = Libc.EventFd(0, Libc.EFD_FLAGS);
    private int _news;
    private int _asleep;

    /// <summary>There is something to look at. From any thread.</summary>
    public void Tell()
    {
        // Either this sees that the sleeper is about to sleep, or the sleeper sees the news: both write first and pass a fence before they read.
        if (Interlocked.Exchange(ref _news, 1) != 0 || Volatile.Read(ref _asleep) == 0)
            return;
        ulong one = 1;
        _ = Libc.Write(_descriptor, &one, sizeof(ulong));
    }

    /// <summary>Whether anything was told since the last call.</summary>
    public bool TakeNews() => Volatile.Read(ref _news) != 0 && Interlocked.Exchange(ref _news, 0) != 0;

    /// <summary>Sleeps so long, or until there are news.</summary>
    public void Sleep(long microseconds)
    {
        Interlocked.Exchange(ref _asleep, 1);
        if (Volatile.Read(ref _news) == 0)
        {
            var wait = new Libc.Timespec { Seconds = microseconds / 1_000_000, Nanoseconds = microseconds % 1_000_000 * 1000 };
            var descriptor = new Libc.PollDescriptor { Descriptor = _descriptor, Events = Libc.POLLIN };
            if (Libc.PPoll(&descriptor, 1, &wait, null) > 0)
            {
                ulong count;
                _ = Libc.Read(_descriptor, &count, sizeof(ulong));
            }
        }

        Volatile.Write(ref _asleep, 0);
    }
}
