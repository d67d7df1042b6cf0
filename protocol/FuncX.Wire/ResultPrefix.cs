using System.Buffers.Binary;

namespace FuncX.Wire;

/// <summary>
/// The 64 bytes that begin the body of every <see cref="FrameKind.Result"/>, little endian; times are Unix microseconds, 0 unknown:
/// <code>
///  0 u8  outcome
///  1 u8  content type of the value
///  2 i16 code            exit status, or minus the signal, of a worker that died, or of a command; else 0
///  4 u32 stdout bytes
///  8 u32 stderr bytes
/// 12 u32 reserved, 0
/// 16 i64 endpoint received   (written by the endpoint)
/// 24 i64 endpoint sent       (written by the endpoint)
/// 32 i64 manager received    (written by the manager)
/// 40 i64 worker started
/// 48 i64 worker ended
/// 56 i64 endpoint back       (written by the endpoint)
/// 64 value | stdout | stderr
/// </code>
/// </summary>
public struct ResultPrefix
{
    public const int Size = 64;

    /// <summary>Most bytes kept of a task's stdout, and of its stderr.</summary>
    public const int LargestOutput = 16 << 20;

    /// <summary>Most bytes of both in one result, with the lines that say how much was cut.</summary>
    public const int LargestOutputs = 2 * (LargestOutput + 1024);

    public const int EndpointReceivedOffset = 16;
    public const int EndpointSentOffset = 24;
    public const int ManagerReceivedOffset = 32;
    public const int WorkerStartedOffset = 40;
    public const int WorkerEndedOffset = 48;
    public const int EndpointBackOffset = 56;

    public TaskOutcome Outcome;
    public ContentType ContentType;
    public short Code;
    public int StdoutBytes;
    public int StderrBytes;
    public long EndpointReceived;
    public long EndpointSent;
    public long ManagerReceived;
    public long WorkerStarted;
    public long WorkerEnded;
    public long EndpointBack;

    public readonly void Write(Span<byte> output)
    {
        output = output[..Size];
        output[0] = (byte)Outcome;
        output[1] = (byte)ContentType;
        BinaryPrimitives.WriteInt16LittleEndian(output[2..], Code);
        BinaryPrimitives.WriteInt32LittleEndian(output[4..], StdoutBytes);
        BinaryPrimitives.WriteInt32LittleEndian(output[8..], StderrBytes);
        BinaryPrimitives.WriteInt32LittleEndian(output[12..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(output[EndpointReceivedOffset..], EndpointReceived);
        BinaryPrimitives.WriteInt64LittleEndian(output[EndpointSentOffset..], EndpointSent);
        BinaryPrimitives.WriteInt64LittleEndian(output[ManagerReceivedOffset..], ManagerReceived);
        BinaryPrimitives.WriteInt64LittleEndian(output[WorkerStartedOffset..], WorkerStarted);
        BinaryPrimitives.WriteInt64LittleEndian(output[WorkerEndedOffset..], WorkerEnded);
        BinaryPrimitives.WriteInt64LittleEndian(output[EndpointBackOffset..], EndpointBack);
    }

    /// <summary>Reads the prefix of a result body of <paramref name="bodyLength"/> bytes.</summary>
    /// <exception cref="FrameException">An outcome or a length that can never be right.</exception>
    public static ResultPrefix Read(ReadOnlySpan<byte> input, long bodyLength)
    {
        if (bodyLength < Size || input.Length < Size)
            throw new FrameException($"result body of {bodyLength} bytes is shorter than its {Size}-byte prefix");
        var prefix = new ResultPrefix
        {
            Outcome = (TaskOutcome)input[0],
            ContentType = (ContentType)input[1],
            Code = BinaryPrimitives.ReadInt16LittleEndian(input[2..]),
            StdoutBytes = BinaryPrimitives.ReadInt32LittleEndian(input[4..]),
            StderrBytes = BinaryPrimitives.ReadInt32LittleEndian(input[8..]),
            EndpointReceived = BinaryPrimitives.ReadInt64LittleEndian(input[EndpointReceivedOffset..]),
            EndpointSent = BinaryPrimitives.ReadInt64LittleEndian(input[EndpointSentOffset..]),
            ManagerReceived = BinaryPrimitives.ReadInt64LittleEndian(input[ManagerReceivedOffset..]),
            WorkerStarted = BinaryPrimitives.ReadInt64LittleEndian(input[WorkerStartedOffset..]),
            WorkerEnded = BinaryPrimitives.ReadInt64LittleEndian(input[WorkerEndedOffset..]),
            EndpointBack = BinaryPrimitives.ReadInt64LittleEndian(input[EndpointBackOffset..]),
        };
        if (prefix.Outcome is TaskOutcome.None or > TaskOutcome.Expired)
            throw new FrameException($"result outcome {(byte)prefix.Outcome} is unknown");
        if (prefix.StdoutBytes < 0 || prefix.StderrBytes < 0 || (long)prefix.StdoutBytes + prefix.StderrBytes > bodyLength - Size)
            throw new FrameException($"result output of {prefix.StdoutBytes} + {prefix.StderrBytes} bytes does not fit a body of {bodyLength}");
        return prefix;
    }
}
