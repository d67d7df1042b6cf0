using System.Diagnostics.CodeAnalysis;

namespace FuncX.Configuration;

/// <summary>What became of reading a file: the configuration, or everything that is wrong with it.</summary>
public sealed class ConfigurationResult<T>
    where T : class
{
    private readonly IReadOnlyDictionary<string, (int Line, int Column)> _positions;

    internal ConfigurationResult(string file, T? value, IReadOnlyList<ConfigurationError> errors,
        IReadOnlyDictionary<string, (int Line, int Column)> positions)
    {
        File = file;
        Value = errors.Count == 0 ? value : null;
        Errors = errors;
        _positions = positions;
    }

    /// <summary>The file's name as it was given.</summary>
    public string File { get; }

    /// <summary>Null when there are errors.</summary>
    public T? Value { get; }

    /// <summary>In the order of the file; at most <see cref="ConfigurationFile.MaxErrors"/>.</summary>
    public IReadOnlyList<ConfigurationError> Errors { get; }

    [MemberNotNullWhen(true, nameof(Value))]
    public bool IsValid => Value is not null;

    /// <summary>An error about a key of this file, for checks that are made after it was read.</summary>
    /// <param name="key">Sections and key with dots between: <c>workers.isolation</c>. One that is not in the file stands for its section.</param>
    public ConfigurationError ErrorAt(string key, string message)
    {
        for (var path = key; ; path = path[..path.LastIndexOf('.')])
        {
            if (_positions.TryGetValue(path, out var position))
                return new ConfigurationError(File, position.Line, position.Column, message);
            if (!path.Contains('.', StringComparison.Ordinal))
                return new ConfigurationError(File, 1, 1, message);
        }
    }
}
