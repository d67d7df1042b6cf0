using System.Buffers.Binary;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>The few fields of a result frame that the manager looks at, read in place. Segments must have been joined before.</summary>
internal static class ResultFrame
{
    public static uint Ticket(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt32LittleEndian(frame[FrameHeader.TicketOffset..]);

    public static TaskId Task(ReadOnlySpan<byte> frame) => TaskId.Read(frame[FrameHeader.TaskOffset..]);

    public static TaskOutcome Outcome(ReadOnlySpan<byte> frame) => (TaskOutcome)frame[Body(frame)];

    public static long Microseconds(ReadOnlySpan<byte> frame)
    {
        var prefix = frame[Body(frame)..];
        return BinaryPrimitives.ReadInt64LittleEndian(prefix[ResultPrefix.WorkerEndedOffset..])
            - BinaryPrimitives.ReadInt64LittleEndian(prefix[ResultPrefix.WorkerStartedOffset..]);
    }

    /// <summary>User code shares its process with the worker's loop: what comes from there is checked before it travels on.</summary>
    /// <exception cref="FrameException">The prefix cannot be right.</exception>
    public static void Check(ReadOnlySpan<byte> frame, long bodyBytes)
    {
        var prefix = frame[Body(frame)..];
        var stdout = BinaryPrimitives.ReadUInt32LittleEndian(prefix[4..]);
        var stderr = BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]);
        if ((TaskOutcome)prefix[0] is not (TaskOutcome.Value or TaskOutcome.Exception or TaskOutcome.Cancelled or TaskOutcome.TooLarge
                or TaskOutcome.Rejected or TaskOutcome.Expired)
            || (long)stdout + stderr > bodyBytes - ResultPrefix.Size)
        {
            throw new FrameException($"result of outcome {prefix[0]} with {stdout} + {stderr} bytes of output in a body of {bodyBytes}");
        }
    }

    /// <summary>Where the prefix begins: behind the whole length in a segmented result.</summary>
    /// <exception cref="FrameException">It is no result.</exception>
    public static int Body(ReadOnlySpan<byte> frame)
    {
        var at = FrameHeader.Size + ((frame[FrameHeader.FlagsOffset] & (byte)FrameFlags.Segmented) != 0 ? sizeof(long) : 0);
        if (frame[FrameHeader.KindOffset] != (byte)FrameKind.Result || frame.Length < at + ResultPrefix.Size)
            throw new FrameException($"frame of kind {frame[FrameHeader.KindOffset]} and {frame.Length} bytes where a result was due");
        return at;
    }
}
