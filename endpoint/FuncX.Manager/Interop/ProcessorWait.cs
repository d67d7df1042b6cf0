using System.Buffers.Text;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Manager.Interop;

/// <summary>How long the thread that made this has waited for a processor while it could have run: proc(5), schedstat.</summary>
internal sealed class ProcessorWait
{
    private const int MostBytes = 96;

    private readonly SafeFileHandle? _file = Open();

    /// <summary>Since the thread began; from any thread. 0 where the kernel does not count it (CONFIG_SCHED_INFO).</summary>
    public long Microseconds
    {
        get
        {
            Span<byte> text = stackalloc byte[MostBytes];
            return _file is null ? 0 : Parse(text[..RandomAccess.Read(_file, text, 0)]);
        }
    }

    // ns on a processor | ns waiting for one | time slices
    internal static long Parse(ReadOnlySpan<byte> text) =>
        text.IndexOf((byte)' ') is > 0 and var first && Utf8Parser.TryParse(text[(first + 1)..], out long nanoseconds, out _) ? nanoseconds / 1000 : 0;

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
