using System.Diagnostics;
using System.Runtime.InteropServices;

namespace FuncX.Cluster;

/// <summary>
/// Counts from outside how often a file is opened, and how often it is read, by anybody (inotify). Reads that come faster than they are taken note of count as one; no opening is missed:
/// another event than the one before it, it has an entry of its own.
/// </summary>
public sealed partial class FileReads : IDisposable
{
    private const int NonBlocking = 0x800; // IN_NONBLOCK
    private const uint Access = 0x1; // IN_ACCESS
    private const uint CloseNoWrite = 0x10; // IN_CLOSE_NOWRITE
    private const uint Open = 0x20; // IN_OPEN
    private const int EventBytes = 16;

    private readonly int _descriptor;
    private readonly byte[] _events = new byte[64 << 10];
    private readonly Thread _watcher;
    private volatile bool _over;
    private int _opens;
    private int _accesses;
    private long _firstOpen;

    public FileReads(string path)
    {
        _descriptor = InotifyInit(NonBlocking);
        if (_descriptor < 0 || InotifyAdd(_descriptor, path, Access | CloseNoWrite | Open) < 0)
            throw new InvalidOperationException($"{path} cannot be watched: {Marshal.GetLastPInvokeErrorMessage()}");
        _watcher = new Thread(Watch) { IsBackground = true };
        _watcher.Start();
    }

    public int Opens => Volatile.Read(ref _opens);

    public int Accesses => Volatile.Read(ref _accesses);

    /// <summary>When the first opening was seen (<see cref="Stopwatch"/>); 0: none was.</summary>
    public long FirstOpen => Volatile.Read(ref _firstOpen);

    public void Dispose()
    {
        _over = true;
        _watcher.Join();
        _ = Close(_descriptor);
    }

    private void Watch()
    {
        while (!_over)
        {
            var bytes = (int)Read(_descriptor, _events, _events.Length);
            for (var at = 0; at < bytes; at += EventBytes)
            {
                // struct inotify_event: wd i32 | mask u32 | cookie u32 | len u32, and no name for a file that is watched itself
                var mask = BitConverter.ToUInt32(_events, at + 4);
                if ((mask & Access) != 0)
                    _accesses++;
                if ((mask & Open) != 0 && Interlocked.Increment(ref _opens) == 1)
                    Volatile.Write(ref _firstOpen, Stopwatch.GetTimestamp());
            }

            if (bytes <= 0)
                Thread.Sleep(1);
        }
    }

    [LibraryImport("libc", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int InotifyInit(int flags);

    [LibraryImport("libc", EntryPoint = "inotify_add_watch", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int InotifyAdd(int descriptor, string path, uint mask);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, [Out] byte[] buffer, nint bytes);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
