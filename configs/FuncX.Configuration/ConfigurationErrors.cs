namespace FuncX.Configuration;

/// <summary>Gathers what is wrong with one file, and where its keys stand.</summary>
internal sealed class ConfigurationErrors(string file)
{
    private readonly List<ConfigurationError> _errors = [];

    /// <summary>Where each key that was asked for stands; a path like <c>workers.idle</c>.</summary>
    public Dictionary<string, (int Line, int Column)> Positions { get; } = new(StringComparer.Ordinal);

    public int Count => _errors.Count;

    public void Add(SourceNode node, string message) => Add(node.Line, node.Column, message);

    public void Add(int line, int column, string message)
    {
        // The list is bounded while it is made; what is beyond the bound is only counted as one more line.
        if (_errors.Count < ConfigurationFile.MaxErrors - 1)
            _errors.Add(new ConfigurationError(file, line, column, message));
        else if (_errors.Count == ConfigurationFile.MaxErrors - 1)
            _errors.Add(new ConfigurationError(file, int.MaxValue, 1, "there are more errors than are listed here"));
    }

    public ConfigurationResult<T> Result<T>(T? value)
        where T : class
    {
        var ordered = _errors.OrderBy(error => error.Line).ThenBy(error => error.Column).Distinct().ToArray();
        for (var i = 0; i < ordered.Length; i++)
        {
            if (ordered[i].Line == int.MaxValue)
                ordered[i] = ordered[i] with { Line = i > 0 ? ordered[i - 1].Line : 1 };
        }

        return new ConfigurationResult<T>(file, value, ordered, Positions);
    }
}
