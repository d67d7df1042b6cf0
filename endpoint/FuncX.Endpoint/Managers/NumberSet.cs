namespace FuncX.Endpoint.Managers;

/// <summary>A set of small numbers.</summary>
internal sealed class NumberSet
{
    private ulong[] _bits = [];

    /// <summary>True when the number was not in it yet.</summary>
    public bool Add(int number)
    {
        var word = number >> 6;
        if (word >= _bits.Length)
            Array.Resize(ref _bits, Math.Max(word + 1, _bits.Length * 2));
        var bit = 1UL << (number & 63);
        if ((_bits[word] & bit) != 0)
            return false;
        _bits[word] |= bit;
        return true;
    }

    public void Clear() => Array.Clear(_bits);
}
