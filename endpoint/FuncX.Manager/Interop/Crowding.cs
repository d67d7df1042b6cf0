using Microsoft.Win32.SafeHandles;

namespace FuncX.Manager.Interop;

/// <summary>Whether the thread that made this has to wait for processors: then others want them, and what only makes this thread quicker is dear.</summary>
/// <param name="patience">Microseconds that it may wait for a turn, on average. Waking up alone takes some 5 to 50.</param>
internal sealed class Crowding(long patience)
{
    private const int MostBytes = 96;

    private readonly SafeFileHandle? _file = Open();
    private ProcessorWait _before;

    /// <summary>Since the last call. From one thread at a time; false where the kernel does not count (CONFIG_SCHED_INFO).</summary>
    public bool Look()
    {
        if (_file is null)
            return false;
        Span<byte> text = stackalloc byte[MostBytes];
        return Look(ProcessorWait.Parse(text[..RandomAccess.Read(_file, text, 0)]));
    }

    internal bool Look(ProcessorWait wait)
    {
        var crowded = wait.Microseconds - _before.Microseconds > patience * (wait.Turns - _before.Turns);
        _before = wait;
        return crowded;
    }

    private static SafeFileHandle? Open()
    {
        try
        {
            return File.OpenHandle("/proc/thread-self/schedstat");
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
