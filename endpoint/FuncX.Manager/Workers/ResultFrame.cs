using System.Buffers.Binary;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>
/// The few fields of a result that the manager looks at, and the check that the rest can travel on. User code shares its process with the worker's loop:
/// whatever the endpoint or the service would refuse must be refused here, where it costs one worker and not the node's connection.
/// </summary>
internal static class ResultFrame
{
    /// <summary>Header and prefix.</summary>
    public const int HeadBytes = FrameHeader.Size + ResultPrefix.Size;

    /// <summary>The last microsecond of the year 9999, the end of what clients' calendars hold.</summary>
    private const long LastMicrosecond = 253_402_300_799_999_999;

    public static uint Ticket(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadUInt32LittleEndian(header[FrameHeader.TicketOffset..]);

    public static TaskId Task(ReadOnlySpan<byte> header) => TaskId.Read(header[FrameHeader.TaskOffset..]);

    public static ushort Attempt(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadUInt16LittleEndian(header[FrameHeader.AttemptOffset..]);

    public static TaskOutcome Outcome(ReadOnlySpan<byte> prefix) => (TaskOutcome)prefix[0];

    public static long Microseconds(ReadOnlySpan<byte> prefix) =>
        BinaryPrimitives.ReadInt64LittleEndian(prefix[ResultPrefix.WorkerEndedOffset..])
        - BinaryPrimitives.ReadInt64LittleEndian(prefix[ResultPrefix.WorkerStartedOffset..]);

    /// <summary>Checks the header of a result that is whole in one frame of <paramref name="frameBytes"/>.</summary>
    /// <exception cref="FrameException">It is something else.</exception>
    public static void CheckWhole(ReadOnlySpan<byte> header, int frameBytes)
    {
        if (BinaryPrimitives.ReadInt32LittleEndian(header) != frameBytes || header[FrameHeader.KindOffset] != (byte)FrameKind.Result || header[FrameHeader.FlagsOffset] != 0)
        {
            throw new FrameException(
                $"frame of kind {header[FrameHeader.KindOffset]}, flags {header[FrameHeader.FlagsOffset]} and {frameBytes} bytes where a whole result was due");
        }
    }

    /// <summary>Checks what a worker may say in the prefix of a body of <paramref name="bodyBytes"/>.</summary>
    /// <exception cref="FrameException">It cannot be right.</exception>
    public static void Check(ReadOnlySpan<byte> prefix, long bodyBytes)
    {
        var stdout = BinaryPrimitives.ReadUInt32LittleEndian(prefix[4..]);
        var stderr = BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]);
        if ((TaskOutcome)prefix[0] is not (TaskOutcome.Value or TaskOutcome.Exception or TaskOutcome.Cancelled or TaskOutcome.TooLarge
                or TaskOutcome.Rejected or TaskOutcome.Expired)
            || prefix[1] > (byte)ContentType.Octets
            || (long)stdout + stderr > Math.Min(bodyBytes - ResultPrefix.Size, ResultPrefix.LargestOutputs))
        {
            throw new FrameException($"result of outcome {prefix[0]} and content type {prefix[1]} with {stdout} + {stderr} bytes of output in a body of {bodyBytes}");
        }

        var started = BinaryPrimitives.ReadUInt64LittleEndian(prefix[ResultPrefix.WorkerStartedOffset..]);
        var ended = BinaryPrimitives.ReadUInt64LittleEndian(prefix[ResultPrefix.WorkerEndedOffset..]);
        if (started > LastMicrosecond || ended > LastMicrosecond)
            throw new FrameException($"result of a task that ran from {started} to {ended}; those are no Unix microseconds");
    }
}
