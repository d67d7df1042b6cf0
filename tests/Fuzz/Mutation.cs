using System.Buffers.Binary;
using System.Text;

namespace FuncX.Tests.Fuzz;

/// <summary>Changes valid inputs: bits, numbers at the ends of their ranges, words, pieces taken out, doubled or put together from two; now and then plain noise. Pure.</summary>
internal sealed class Mutation(IReadOnlyList<byte[]> valid, params string[] words)
{
    private static readonly long[] s_ends =
    [
        0, 1, -1, 2, 63, 64, 65, 127, 128, 255, 256, short.MaxValue, ushort.MaxValue, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue,
        262_143, 262_144, 262_208, 262_209,
    ];

    private readonly byte[][] _words = [.. words.Select(Encoding.UTF8.GetBytes)];

    public byte[] Next(Random random)
    {
        var roll = random.Next(20);
        if (roll == 0)
            return Noise(random, random.Next(400));
        var bytes = new List<byte>(valid[random.Next(valid.Count)]);
        // One in ten stays as it is: a valid input must be read.
        for (var changes = roll <= 2 ? 0 : 1 + random.Next(5); changes > 0; changes--)
            Change(bytes, random);
        return [.. bytes];
    }

    public static byte[] Noise(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private void Change(List<byte> bytes, Random random)
    {
        var at = random.Next(bytes.Count + 1);
        var count = Math.Min(bytes.Count - at, 1 + random.Next(random.Next(2) == 0 ? 4 : 40));
        switch (random.Next(_words.Length > 0 ? 9 : 8))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                Overwrite(bytes, at, s_ends[random.Next(s_ends.Length)], 1 << random.Next(4), random.Next(4) == 0);
                break;
            case 3:
                bytes.RemoveRange(at, count);
                break;
            case 4:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, count));
                break;
            case 5:
                bytes.InsertRange(at, Noise(random, 1 + random.Next(8)));
                break;
            case 6:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 7:
                var other = valid[random.Next(valid.Count)];
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other[Math.Min(at, other.Length)..]);
                break;
            case 8:
                bytes.InsertRange(at, _words[random.Next(_words.Length)]);
                break;
            default:
                break;
        }
    }

    private static void Overwrite(List<byte> bytes, int at, long value, int width, bool bigEndian)
    {
        Span<byte> number = stackalloc byte[sizeof(long)];
        if (bigEndian)
            BinaryPrimitives.WriteInt64BigEndian(number, value << (8 * (sizeof(long) - width)));
        else
            BinaryPrimitives.WriteInt64LittleEndian(number, value);
        for (var i = 0; i < width && at + i < bytes.Count; i++)
            bytes[at + i] = number[i];
    }
}
