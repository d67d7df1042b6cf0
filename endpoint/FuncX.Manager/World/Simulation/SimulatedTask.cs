using System.Buffers.Text;
using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>A task that is only waited for.</summary>
/// <param name="Header">As it came.</param>
/// <param name="Received">Unix microseconds.</param>
/// <param name="Duration">Microseconds that a worker is busy with it.</param>
internal readonly record struct SimulatedTask(FrameHeader Header, long Received, long Duration)
{
    /// <summary>The longest that a task may state.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>What JSON arguments state: the first of an array, in seconds. Anything else is a task that does nothing.</summary>
    // [ number ...
    public static long DurationOf(ContentType type, ReadOnlySpan<byte> arguments)
    {
        if (type != ContentType.Json || arguments is not [(byte)'[', .. var first])
            return 0;
        return Utf8Parser.TryParse(first.TrimStart((byte)' '), out double seconds, out _) && seconds > 0
            ? (long)(Math.Min(seconds, Longest.TotalSeconds) * 1_000_000)
            : 0;
    }
}
