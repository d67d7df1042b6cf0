using System.Buffers.Binary;

namespace FuncX.Wire;

/// <summary>
/// The 64 bytes in front of every body, little endian:
/// <code>
///  0 u32 length        whole frame, header included
///  4 u8  kind
///  5 u8  flags
///  6 u16 attempt
///  8 u32 epoch         of the endpoint's link to the service
/// 12 12B batch, 24 u32 index: the task id
/// 28 u32 function      number on this link
/// 32 u32 container     number on this link, 0 none
/// 36 u32 owner         number on this link
/// 40 u32 destination   manager's number on this link, 0 the peer itself
/// 44 u32 walltime      milliseconds the task may run, 0 no limit
/// 48 u32 ticket        the sender's own number for the task; comes back unchanged
/// 52 u8  content type  of the body
/// 53 u8  priority      higher first, within an owner
/// 54 u16 reserved, 0
/// 56 i64 deadline      Unix microseconds after which it must not start, 0 none
/// </code>
/// </summary>
public struct FrameHeader
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 64;

    /// <summary>Most bytes of body in one frame; larger bodies travel in segments.</summary>
    public const int MaxBody = 256 * 1024;

    /// <summary>Most bytes of one frame.</summary>
    public const int MaxFrame = Size + MaxBody;

    // Offsets that hot paths rewrite in place.
    public const int KindOffset = 4;
    public const int FlagsOffset = 5;
    public const int AttemptOffset = 6;
    public const int EpochOffset = 8;
    public const int TaskOffset = 12;
    public const int FunctionOffset = 28;
    public const int ContainerOffset = 32;
    public const int OwnerOffset = 36;
    public const int DestinationOffset = 40;
    public const int WalltimeOffset = 44;
    public const int TicketOffset = 48;
    public const int ContentTypeOffset = 52;
    public const int DeadlineOffset = 56;

    public int BodyLength;
    public FrameKind Kind;
    public FrameFlags Flags;
    public ushort Attempt;
    public uint Epoch;
    public TaskId Task;
    public uint Function;
    public uint Container;
    public uint Owner;
    public uint Destination;
    public uint WalltimeMilliseconds;
    public uint Ticket;
    public ContentType ContentType;
    public byte Priority;
    public long DeadlineMicroseconds;

    public readonly int FrameLength => Size + BodyLength;

    /// <summary>Writes the 64 bytes; <paramref name="output"/> has at least <see cref="Size"/> bytes.</summary>
    public readonly void Write(Span<byte> output)
    {
        output = output[..Size];
        BinaryPrimitives.WriteInt32LittleEndian(output, FrameLength);
        output[KindOffset] = (byte)Kind;
        output[FlagsOffset] = (byte)Flags;
        BinaryPrimitives.WriteUInt16LittleEndian(output[AttemptOffset..], Attempt);
        BinaryPrimitives.WriteUInt32LittleEndian(output[EpochOffset..], Epoch);
        Task.Write(output[TaskOffset..]);
        BinaryPrimitives.WriteUInt32LittleEndian(output[FunctionOffset..], Function);
        BinaryPrimitives.WriteUInt32LittleEndian(output[ContainerOffset..], Container);
        BinaryPrimitives.WriteUInt32LittleEndian(output[OwnerOffset..], Owner);
        BinaryPrimitives.WriteUInt32LittleEndian(output[DestinationOffset..], Destination);
        BinaryPrimitives.WriteUInt32LittleEndian(output[WalltimeOffset..], WalltimeMilliseconds);
        BinaryPrimitives.WriteUInt32LittleEndian(output[TicketOffset..], Ticket);
        output[ContentTypeOffset] = (byte)ContentType;
        output[ContentTypeOffset + 1] = Priority;
        BinaryPrimitives.WriteUInt16LittleEndian(output[(ContentTypeOffset + 2)..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(output[DeadlineOffset..], DeadlineMicroseconds);
    }

    /// <summary>Reads the 64 bytes.</summary>
    /// <exception cref="FrameException">The length or the kind can never be right.</exception>
    public static FrameHeader Read(ReadOnlySpan<byte> input)
    {
        input = input[..Size];
        var length = BinaryPrimitives.ReadUInt32LittleEndian(input);
        if (length is < Size or > MaxFrame)
            throw new FrameException($"frame length {length} is outside {Size} to {MaxFrame}");
        var kind = input[KindOffset];
        if (kind is 0 or > (byte)FrameKind.FunctionDigest)
            throw new FrameException($"frame kind {kind} is unknown to protocol {ProtocolVersion.Maximum}");
        return new FrameHeader
        {
            BodyLength = (int)length - Size,
            Kind = (FrameKind)kind,
            Flags = (FrameFlags)input[FlagsOffset],
            Attempt = BinaryPrimitives.ReadUInt16LittleEndian(input[AttemptOffset..]),
            Epoch = BinaryPrimitives.ReadUInt32LittleEndian(input[EpochOffset..]),
            Task = TaskId.Read(input[TaskOffset..]),
            Function = BinaryPrimitives.ReadUInt32LittleEndian(input[FunctionOffset..]),
            Container = BinaryPrimitives.ReadUInt32LittleEndian(input[ContainerOffset..]),
            Owner = BinaryPrimitives.ReadUInt32LittleEndian(input[OwnerOffset..]),
            Destination = BinaryPrimitives.ReadUInt32LittleEndian(input[DestinationOffset..]),
            WalltimeMilliseconds = BinaryPrimitives.ReadUInt32LittleEndian(input[WalltimeOffset..]),
            Ticket = BinaryPrimitives.ReadUInt32LittleEndian(input[TicketOffset..]),
            ContentType = (ContentType)input[ContentTypeOffset],
            Priority = input[ContentTypeOffset + 1],
            DeadlineMicroseconds = BinaryPrimitives.ReadInt64LittleEndian(input[DeadlineOffset..]),
        };
    }
}
