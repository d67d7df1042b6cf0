using System.Buffers.Binary;

namespace FuncX.Wire;

/// <summary>Where a held task stands.</summary>
public enum HeldState : byte
{
    /// <summary>Not started.</summary>
    Queued = 1,

    /// <summary>Handed to a worker; it may have started.</summary>
    Running = 2,

    /// <summary>Ended; its result is on its way or follows.</summary>
    Finished = 3,
}

/// <summary>
/// One line of an <see cref="FrameKind.Inventory"/>, 20 bytes, little endian: task id 16 | attempt u16 | state u8 | reserved u8.
/// A side that reconnects says with these what it still holds; the other side gives up on what is missing.
/// </summary>
public readonly record struct InventoryEntry(TaskId Task, ushort Attempt, HeldState State)
{
    public const int Size = 20;

    public void Write(Span<byte> output)
    {
        Task.Write(output);
        BinaryPrimitives.WriteUInt16LittleEndian(output[16..], Attempt);
        output[18] = (byte)State;
        output[19] = 0;
    }

    public static InventoryEntry Read(ReadOnlySpan<byte> input) =>
        new(TaskId.Read(input), BinaryPrimitives.ReadUInt16LittleEndian(input[16..]), (HeldState)input[18]);
}
