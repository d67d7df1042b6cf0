using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>What functions ask of a node and what nodes have, both under numbers, since many share the same. 0 is nothing asked, and not known yet.</summary>
public sealed class Requirements
{
    private readonly Dictionary<string, int> _required = new(StringComparer.Ordinal);
    private readonly List<IReadOnlyList<RuntimeRequirement>> _requirements = [[]];
    private readonly Dictionary<string, int> _found = new(StringComparer.Ordinal);
    private readonly List<IReadOnlyDictionary<string, string>> _runtimes = [new Dictionary<string, string>()];
    private readonly Dictionary<(int Requirement, int Runtimes), bool> _met = [];

    /// <summary>The number of what a function requires, as <c>python&gt;=3.12;dotnet&gt;=10</c>.</summary>
    /// <exception cref="FormatException">It is no such text.</exception>
    public int NumberOf(string text)
    {
        if (text.Length == 0)
            return 0;
        if (_required.TryGetValue(text, out var number))
            return number;
        _requirements.Add(RuntimeRequirement.ParseAll(text));
        _required.Add(text, _requirements.Count - 1);
        return _requirements.Count - 1;
    }

    /// <summary>The number of what a node has: versions by runtime.</summary>
    public int NumberOf(IReadOnlyDictionary<string, string> runtimes)
    {
        var text = string.Join(';', runtimes.OrderBy(static runtime => runtime.Key, StringComparer.Ordinal).Select(static runtime => $"{runtime.Key}={runtime.Value}"));
        if (_found.TryGetValue(text, out var number))
            return number;
        _runtimes.Add(runtimes);
        _found.Add(text, _runtimes.Count - 1);
        return _runtimes.Count - 1;
    }

    public string TextOf(int requirement) => string.Join(" and ", _requirements[requirement]);

    public bool IsMet(int requirement, int runtimes)
    {
        if (requirement == 0)
            return true;
        if (runtimes == 0)
            return false;
        if (!_met.TryGetValue((requirement, runtimes), out var met))
            _met.Add((requirement, runtimes), met = Compare(_requirements[requirement], _runtimes[runtimes]));
        return met;
    }

    // By itself: what it captures is allocated whenever the method is entered.
    private static bool Compare(IReadOnlyList<RuntimeRequirement> requirements, IReadOnlyDictionary<string, string> runtimes) =>
        requirements.All(one => one.IsMetBy(runtimes.GetValueOrDefault(one.Name)));
}
