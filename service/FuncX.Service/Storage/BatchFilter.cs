using System.Numerics;
using System.Runtime.InteropServices;

namespace FuncX.Service.Storage;

/// <summary>A Bloom filter over batch keys, ten bits each with four probes: about one in eighty unknown keys looks known.</summary>
public sealed class BatchFilter
{
    private readonly ulong[] _words;

    public BatchFilter(int keys) => _words = new ulong[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, keys * 10 / 64))];

    public BatchFilter(byte[] bytes) => _words = MemoryMarshal.Cast<byte, ulong>(bytes).ToArray();

    public byte[] ToBytes() => MemoryMarshal.AsBytes(_words.AsSpan()).ToArray();

    public void Add(ulong hash)
    {
        for (var probe = 0; probe < 4; probe++)
        {
            var bit = Probe(hash, probe);
            _words[bit >> 6] |= 1UL << (int)(bit & 63);
        }
    }

    public bool MayContain(ulong hash)
    {
        for (var probe = 0; probe < 4; probe++)
        {
            var bit = Probe(hash, probe);
            if ((_words[bit >> 6] & (1UL << (int)(bit & 63))) == 0)
                return false;
        }

        return true;
    }

    private ulong Probe(ulong hash, int probe) => (hash + ((ulong)probe * (BitOperations.RotateLeft(hash, 32) | 1))) & (((ulong)_words.Length * 64) - 1);
}
