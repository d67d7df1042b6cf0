using System.Buffers.Binary;
using System.Globalization;

namespace FuncX.Wire;

/// <summary>One call of a function: its batch and its index in the batch. 16 bytes on every wire: the batch's 12, then the index, little endian.</summary>
public readonly record struct TaskId(BatchId Batch, uint Index)
{
    /// <summary>Length in bytes on every wire.</summary>
    public const int Size = BatchId.Size + sizeof(uint);

    public static TaskId Read(ReadOnlySpan<byte> bytes) =>
        new(BatchId.Read(bytes), BinaryPrimitives.ReadUInt32LittleEndian(bytes[BatchId.Size..]));

    public void Write(Span<byte> bytes)
    {
        Batch.Write(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[BatchId.Size..], Index);
    }

    public override int GetHashCode() => Batch.GetHashCode() + ((int)Index * -1640531535);

    /// <summary>The batch's 24 hexadecimal digits, a hyphen, and the index in decimal: <c>0193f1c2a4b77c1e90ab12cd-17</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Batch}-{Index}");

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TaskId id)
    {
        var hyphen = text.IndexOf('-');
        if (hyphen == BatchId.Size * 2 && BatchId.TryParse(text[..hyphen], out var batch)
            && uint.TryParse(text[(hyphen + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            id = new TaskId(batch, index);
            return true;
        }

        id = default;
        return false;
    }
}
