using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>A task that is only waited for. It answers with its arguments as they came when they are short.</summary>
internal readonly struct SimulatedTask
{
    private readonly Echo _echo;
    private readonly byte _echoBytes;

    /// <param name="header">As it came.</param>
    /// <param name="arguments">Or as much of them as came in the first frame.</param>
    /// <param name="received">Unix microseconds.</param>
    public SimulatedTask(in FrameHeader header, ReadOnlySpan<byte> arguments, long received)
    {
        Header = header;
        Received = received;
        Duration = DurationOf(header.ContentType, arguments);
        if (arguments.Length > LongestEcho || (header.Flags & FrameFlags.Segmented) != 0)
            return;
        arguments.CopyTo(_echo);
        _echoBytes = (byte)arguments.Length;
    }

    /// <summary>Most bytes of arguments that are answered with.</summary>
    public const int LongestEcho = 32;

    public readonly FrameHeader Header;

    public readonly long Received;

    /// <summary>Microseconds that a worker is busy with it.</summary>
    public readonly long Duration;

    /// <summary>What it answers with.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Value => ((ReadOnlySpan<byte>)_echo)[.._echoBytes];

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

    [InlineArray(LongestEcho)]
    private struct Echo
    {
        private byte _first;
    }
}
