using FuncX.Wire;

namespace FuncX.Endpoint.Dispatch;

/// <summary>A body that travels in several frames.</summary>
internal static class Segments
{
    /// <summary>Whether all of it has come with this frame.</summary>
    /// <param name="header">Of the frame, whose bytes are counted.</param>
    /// <param name="bytes">Those that have come.</param>
    /// <param name="wholeBytes">Those that were announced.</param>
    /// <exception cref="FrameException">There are more, or the last frame is not the last.</exception>
    public static bool AreAll(in FrameHeader header, long bytes, long wholeBytes)
    {
        var last = (header.Flags & FrameFlags.Last) != 0;
        if (bytes > wholeBytes || last != (bytes == wholeBytes))
            throw new FrameException($"the segments of task {header.Task} have {bytes} bytes, not the {wholeBytes} announced");
        return last;
    }
}
