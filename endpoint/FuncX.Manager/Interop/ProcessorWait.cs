using System.Buffers.Text;

namespace FuncX.Manager.Interop;

/// <summary>How long a thread has waited for a processor while it could have run, and how often it got one: proc(5), schedstat.</summary>
/// <param name="Microseconds">All waiting together.</param>
/// <param name="Turns">How often it was given a processor.</param>
internal readonly record struct ProcessorWait(long Microseconds, long Turns)
{
    // ns on a processor | ns waiting for one | time slices
    public static ProcessorWait Parse(ReadOnlySpan<byte> text) =>
        text.IndexOf((byte)' ') is > 0 and var first && Utf8Parser.TryParse(text[(first + 1)..], out long nanoseconds, out var digits)
        && text.Length > first + digits + 2 && Utf8Parser.TryParse(text[(first + digits + 2)..], out long turns, out _)
            ? new ProcessorWait(nanoseconds / 1000, turns)
            : default;
}
