namespace FuncX.Configuration;

/// <summary>Gathers what the getters say of each key while a file is bound, in the order in which they ask.</summary>
internal sealed class KeyNotes
{
    private readonly OrderedDictionary<string, KeyDescription> _keys = new(StringComparer.Ordinal);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly HashSet<string> _required = new(StringComparer.Ordinal);

    /// <summary>A key was looked for; what it is, is to be noted as well.</summary>
    public void Ask(string path) => _asked.Add(path);

    public void Require(string path) => _required.Add(path);

    /// <summary>Of two notes of one key the later one holds.</summary>
    public void Note(KeyDescription key) => _keys[key.Path] = key;

    /// <exception cref="InvalidOperationException">A key was looked for, and no getter was asked for its value.</exception>
    public IReadOnlyList<KeyDescription> Described()
    {
        if (_asked.FirstOrDefault(path => !_keys.ContainsKey(path)) is { } unknown)
            throw new InvalidOperationException($"the key '{unknown}' is looked for and not read; the documents that describe a file need one that has it");
        return [.. _keys.Values.Select(key => key with { IsRequired = _required.Contains(key.Path) })];
    }
}
