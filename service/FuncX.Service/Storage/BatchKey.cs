using System.Buffers.Binary;
using System.IO.Hashing;
using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>A batch of an owner: nobody meets another's batch by knowing or guessing its id.</summary>
public readonly record struct BatchKey(BatchId Id, int Owner) : IComparable<BatchKey>
{
    /// <summary>Bytes of <see cref="Write"/>; ordered as the keys are.</summary>
    public const int Size = BatchId.Size + sizeof(int);

    public int CompareTo(BatchKey other)
    {
        var id = Id.CompareTo(other.Id);
        return id != 0 ? id : Owner.CompareTo(other.Owner);
    }

    public void Write(Span<byte> output)
    {
        Id.Write(output);
        BinaryPrimitives.WriteInt32BigEndian(output[BatchId.Size..], Owner);
    }

    public static BatchKey Read(ReadOnlySpan<byte> input) => new(BatchId.Read(input), BinaryPrimitives.ReadInt32BigEndian(input[BatchId.Size..]));

    /// <summary>The same in every process, unlike a hash code: it goes to disk.</summary>
    public ulong StableHash()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return XxHash3.HashToUInt64(bytes);
    }

    public override int GetHashCode() => Id.GetHashCode() ^ (Owner * 486187739);

    public static bool operator <(BatchKey left, BatchKey right) => left.CompareTo(right) < 0;

    public static bool operator >(BatchKey left, BatchKey right) => left.CompareTo(right) > 0;

    public static bool operator <=(BatchKey left, BatchKey right) => left.CompareTo(right) <= 0;

    public static bool operator >=(BatchKey left, BatchKey right) => left.CompareTo(right) >= 0;
}
