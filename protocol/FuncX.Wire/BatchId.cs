using System.Buffers.Binary;
using System.Security.Cryptography;

namespace FuncX.Wire;

/// <summary>
/// The 12 bytes that name a batch: 6 bytes of Unix milliseconds, big endian, and 6 random bytes, so that ids sort by the time
/// they were made. The client makes it, and sends the same one again when it retries.
/// </summary>
public readonly record struct BatchId : IComparable<BatchId>
{
    /// <summary>Length in bytes on every wire and disk.</summary>
    public const int Size = 12;

    private readonly ulong _high;
    private readonly uint _low;

    /// <summary>Random bytes in stock, and how many of them are taken: the system's generator costs a microsecond, whether it gives six bytes or a thousand.</summary>
    [ThreadStatic]
    private static byte[]? t_random;

    [ThreadStatic]
    private static int t_taken;

    private BatchId(ulong high, uint low) => (_high, _low) = (high, low);

    /// <summary>Unix milliseconds at which the maker says it made the id. A client's clock may be wrong: never trust it for expiry.</summary>
    public long UnixMilliseconds => (long)(_high >> 16);

    /// <summary>Makes a new id at <paramref name="unixMilliseconds"/>.</summary>
    public static BatchId New(long unixMilliseconds)
    {
        t_random ??= new byte[6 * 170];
        if (t_taken == 0)
            RandomNumberGenerator.Fill(t_random);
        var random = t_random.AsSpan(t_taken, 6);
        t_taken = (t_taken + 6) % t_random.Length;
        return new BatchId(((ulong)unixMilliseconds << 16) | BinaryPrimitives.ReadUInt16BigEndian(random), BinaryPrimitives.ReadUInt32BigEndian(random[2..]));
    }

    /// <summary>Reads the 12 bytes as they stand on the wire.</summary>
    public static BatchId Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]));

    /// <summary>Writes the 12 bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _high);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], _low);
    }

    public int CompareTo(BatchId other)
    {
        var high = _high.CompareTo(other._high);
        return high != 0 ? high : _low.CompareTo(other._low);
    }

    public static bool operator <(BatchId left, BatchId right) => left.CompareTo(right) < 0;

    public static bool operator >(BatchId left, BatchId right) => left.CompareTo(right) > 0;

    public static bool operator <=(BatchId left, BatchId right) => left.CompareTo(right) <= 0;

    public static bool operator >=(BatchId left, BatchId right) => left.CompareTo(right) >= 0;

    /// <summary>The random half alone spreads well; ids made in the same millisecond differ only there.</summary>
    public override int GetHashCode() => (int)(_low ^ (uint)_high);

    /// <summary>24 lower-case hexadecimal digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out BatchId id)
    {
        Span<byte> bytes = stackalloc byte[Size];
        if (text.Length == Size * 2 && Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done)
        {
            id = Read(bytes);
            return true;
        }

        id = default;
        return false;
    }
}
