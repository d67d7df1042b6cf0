using System.Globalization;

namespace FuncX.Configuration;

/// <summary>
/// One section of a file. Every getter takes the key, the value that stands for a key left out, and bounds; what is wrong goes to the file's list
/// of errors and the default is returned, so that reading goes on to the next error. A key that nobody asks for is an unknown key.
/// </summary>
public sealed class ConfigurationSection
{
    private readonly ConfigurationErrors _errors;
    private readonly Func<string, string?> _environment;
    private readonly Dictionary<string, (SourceScalar Key, SourceNode Value)> _entries = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _asked = new(StringComparer.Ordinal);
    private readonly List<ConfigurationSection> _sections = [];
    private readonly string _path;
    private readonly (int Line, int Column) _position;

    private ConfigurationSection(string path, SourceMap? map, (int Line, int Column) position, ConfigurationErrors errors, Func<string, string?> environment)
    {
        _path = path;
        _position = position;
        _errors = errors;
        _environment = environment;
        foreach (var (key, value) in map?.Entries ?? [])
            _entries.Add(key.Text, (key, value));
    }

    internal static ConfigurationSection Root(SourceMap map, ConfigurationErrors errors, Func<string, string?> environment) =>
        new("", map, (map.Line, map.Column), errors, environment);

    /// <summary>Whether the file has the key in this section.</summary>
    public bool Has(string key)
    {
        _asked.Add(key);
        return _entries.ContainsKey(key);
    }

    /// <summary>Says that something is wrong with a key of this section; one left out stands for the section.</summary>
    public void Error(string key, string message)
    {
        if (_entries.TryGetValue(key, out var entry))
            _errors.Add(entry.Value, message);
        else
            _errors.Add(_position.Line, _position.Column, message);
    }

    /// <summary>A section below this one; an absent one behaves as an empty one.</summary>
    public ConfigurationSection Section(string key)
    {
        ConfigurationSection section;
        if (Take(key) is not { } entry)
            section = new ConfigurationSection(PathOf(key), null, _position, _errors, _environment);
        else if (entry.Value is SourceMap map)
            section = new ConfigurationSection(PathOf(key), map, (entry.Key.Line, entry.Key.Column), _errors, _environment);
        else
        {
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected a section: keys below it, or {{key: value, ...}}");
            section = new ConfigurationSection(PathOf(key), null, (entry.Key.Line, entry.Key.Column), _errors, _environment);
        }

        _sections.Add(section);
        return section;
    }

    /// <summary>A text of 1 to <paramref name="maxLength"/> characters.</summary>
    /// <param name="check">Says in words what is wrong with a text and what would be right; null when it is right.</param>
    public string Text(string key, string fallback, int maxLength = 1_000, Func<string, string?>? check = null) =>
        OptionalText(key, maxLength, check) ?? fallback;

    /// <summary>As <see cref="Text"/>; null when left out.</summary>
    public string? OptionalText(string key, int maxLength = 1_000, Func<string, string?>? check = null)
    {
        if (Scalar(key, "a text") is not { } scalar)
            return null;
        if (Problem(scalar.Text, maxLength, check) is not { } problem)
            return scalar.Text;
        _errors.Add(scalar, $"'{PathOf(key)}' {problem}");
        return null;
    }

    /// <summary>As <see cref="Text"/>; to leave it out is an error that says <paramref name="example"/>.</summary>
    public string RequiredText(string key, string example, int maxLength = 1_000, Func<string, string?>? check = null)
    {
        if (!Has(key))
            Missing(key, example);
        return OptionalText(key, maxLength, check) ?? "";
    }

    /// <summary>An absolute path, <c>${NAME}</c> expanded.</summary>
    /// <param name="check">As of <see cref="Text"/>; sees the expanded path.</param>
    public string? OptionalPath(string key, Func<string, string?>? check = null)
    {
        if (Scalar(key, "a path") is not { } scalar || Expanded(key, scalar, "a path") is not { } text)
            return null;
        if (PathProblem(text) is { } relative)
        {
            _errors.Add(scalar, $"'{PathOf(key)}' is {relative}");
            return null;
        }

        var path = Trimmed(text);
        if (check?.Invoke(path) is not { } problem)
            return path;
        _errors.Add(scalar, $"'{PathOf(key)}' {problem}");
        return null;
    }

    /// <summary>A program: a name as it stands, to be found in PATH, or with a slash in it an absolute path, <c>${NAME}</c> expanded.</summary>
    public string Program(string key, string fallback)
    {
        if (Scalar(key, "a program") is not { } scalar)
            return fallback;
        if (scalar.Text.Contains('/', StringComparison.Ordinal))
            return OptionalPath(key) ?? fallback;
        if (scalar.Text.Length is > 0 and <= 255 && !scalar.Text.Any(letter => char.IsControl(letter) || letter == '$'))
            return scalar.Text;
        Wrong(key, scalar, "a name found in PATH, or an absolute path, like ${HOME}/venv/bin/python");
        return fallback;
    }

    /// <summary>As <see cref="OptionalPath"/>, with a default.</summary>
    public string Path(string key, string fallback) => OptionalPath(key) ?? fallback;

    /// <summary>As <see cref="OptionalPath"/>; to leave it out is an error.</summary>
    public string RequiredPath(string key, string example, Func<string, string?>? check = null)
    {
        if (!Has(key))
            Missing(key, example);
        return OptionalPath(key, check) ?? "";
    }

    /// <summary>A secret, <c>${NAME}</c> expanded; messages never repeat it.</summary>
    public string? OptionalSecret(string key) => Scalar(key, "a text") is { } scalar ? Expanded(key, scalar, "a text", secret: true) : null;

    /// <summary>A whole number within bounds.</summary>
    public int Integer(string key, int fallback, int minimum, int maximum) => OptionalInteger(key, minimum, maximum) ?? fallback;

    /// <summary>As <see cref="Integer"/>; null when left out.</summary>
    public int? OptionalInteger(string key, int minimum, int maximum)
    {
        if (Scalar(key, $"a whole number from {minimum} to {maximum}") is not { } scalar)
            return null;
        if (ReadInteger(scalar, PathOf(key), minimum, maximum) is not { } number)
            return null;
        return number;
    }

    /// <summary>A number above <paramref name="above"/>, at most <paramref name="maximum"/>.</summary>
    public double Number(string key, double fallback, double above, double maximum)
    {
        var expected = string.Create(CultureInfo.InvariantCulture, $"a number above {above}, at most {maximum}");
        if (Scalar(key, expected) is not { } scalar)
            return fallback;
        if (scalar.Plain && double.TryParse(scalar.Text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number > above && number <= maximum)
            return number;
        Wrong(key, scalar, expected);
        return fallback;
    }

    /// <summary>A share: a number from 0 to 1.</summary>
    public double Share(string key, double fallback)
    {
        const string Expected = "a number from 0 to 1";
        if (Scalar(key, Expected) is not { } scalar)
            return fallback;
        if (scalar.Plain && double.TryParse(scalar.Text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number <= 1)
            return number;
        Wrong(key, scalar, Expected);
        return fallback;
    }

    /// <summary><c>true</c> or <c>false</c>.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (Scalar(key, "true or false") is not { } scalar)
            return fallback;
        if (scalar is { Plain: true, Text: "true" or "false" })
            return scalar.Text == "true";
        Wrong(key, scalar, "true or false");
        return fallback;
    }

    /// <summary>A duration within bounds: <c>90s</c>, <c>2m</c>, <c>1h30m</c>, <c>01:00:00</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum) => OptionalDuration(key, minimum, maximum) ?? fallback;

    /// <summary>As <see cref="Duration"/>; null when left out.</summary>
    public TimeSpan? OptionalDuration(string key, TimeSpan minimum, TimeSpan maximum)
    {
        var expected = $"a duration from {Quantities.Write(minimum)} to {Quantities.Write(maximum)}, like 90s, 2m, 1h30m or 01:00:00";
        if (Scalar(key, expected) is not { } scalar)
            return null;
        if (Quantities.TryReadDuration(scalar.Text, out var duration) && duration >= minimum && duration <= maximum)
            return duration;
        Wrong(key, scalar, expected);
        return null;
    }

    /// <summary>Bytes within bounds: <c>8GiB</c>, <c>200GB</c>.</summary>
    public long Size(string key, long fallback, long minimum, long maximum) => OptionalSize(key, minimum, maximum) ?? fallback;

    /// <summary>As <see cref="Size"/>; null when left out.</summary>
    public long? OptionalSize(string key, long minimum, long maximum)
    {
        var expected = $"a size from {Quantities.Write(minimum)} to {Quantities.Write(maximum)}, like 8GiB or 512MiB";
        if (Scalar(key, expected) is not { } scalar)
            return null;
        if (Quantities.TryReadSize(scalar.Text, out var bytes) && bytes >= minimum && bytes <= maximum)
            return bytes;
        Wrong(key, scalar, expected);
        return null;
    }

    /// <summary>One of the names of an enum, in snake_case.</summary>
    public T Choice<T>(string key, T fallback)
        where T : struct, Enum => OptionalChoice<T>(key) ?? fallback;

    /// <summary>As <see cref="Choice"/>; null when left out, or wrong.</summary>
    public T? OptionalChoice<T>(string key)
        where T : struct, Enum
    {
        var names = Enum.GetNames<T>().Select(SnakeCase.Of).ToArray();
        if (Scalar(key, $"one of {string.Join(", ", names)}") is not { } scalar)
            return null;
        foreach (var value in Enum.GetValues<T>())
        {
            if (SnakeCase.Of(value) == scalar.Text)
                return value;
        }

        _errors.Add(scalar, $"'{PathOf(key)}' is {scalar.Describe()}{Spelling.Hint(scalar.Text, names, "choices")}");
        return null;
    }

    /// <summary>A list of texts; left out it is <paramref name="fallback"/>.</summary>
    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string> fallback, int maxItems = 1_000, int maxLength = 4_096, Func<string, string?>? check = null)
    {
        if (Take(key) is not { } entry)
            return fallback;
        if (entry.Value is not SourceList list)
        {
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected a list: [a, b], or lines that begin with '- '");
            return fallback;
        }

        if (list.Items.Count > maxItems)
        {
            _errors.Add(list, $"'{PathOf(key)}' has {list.Items.Count} items; at most {maxItems}");
            return fallback;
        }

        var texts = new List<string>(list.Items.Count);
        foreach (var item in list.Items)
        {
            var problem = item is SourceScalar { IsNull: false } text ? Problem(text.Text, maxLength, check) : $"has {item.Describe()} as an item; expected a text";
            if (problem is null)
                texts.Add(((SourceScalar)item).Text);
            else
                _errors.Add(item, $"'{PathOf(key)}' {problem}");
        }

        return texts;
    }

    /// <summary>A list of absolute paths, <c>${NAME}</c> expanded in each; empty when left out.</summary>
    public IReadOnlyList<string> Paths(string key, int maxItems = 1_000)
    {
        var paths = new List<string>();
        if (Texts(key, [], maxItems).Count == 0 || Take(key) is not { Value: SourceList list })
            return paths;
        foreach (var item in list.Items.OfType<SourceScalar>())
        {
            // What is no text at all has been told already.
            if (item.IsNull || Problem(item.Text, 4_096, check: null) is not null || Expanded(key, item, "a path") is not { } text)
                continue;
            if (PathProblem(text) is { } problem)
                _errors.Add(item, $"'{PathOf(key)}' has an item that is {problem}");
            else
                paths.Add(Trimmed(text));
        }

        return paths;
    }

    /// <summary>A section whose keys are free and whose values are whole numbers within bounds.</summary>
    public IReadOnlyDictionary<string, int> Integers(string key, int minimum, int maximum)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        if (Take(key) is not { } entry)
            return numbers;
        if (entry.Value is not SourceMap map)
        {
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected a section of names and whole numbers: {{name: 4}}");
            return numbers;
        }

        foreach (var (name, value) in map.Entries)
        {
            if (value is not SourceScalar scalar)
                _errors.Add(value, $"'{PathOf(key)}.{name.Text}' is {value.Describe()}; expected a whole number from {minimum} to {maximum}");
            else if (ReadInteger(scalar, $"{PathOf(key)}.{name.Text}", minimum, maximum) is { } number)
                numbers[name.Text] = number;
        }

        return numbers;
    }

    /// <summary>Adds an error for each key of this section and those below it that nobody asked for.</summary>
    internal void ReportUnknownKeys()
    {
        foreach (var (name, (key, _)) in _entries)
        {
            if (!_asked.Contains(name))
                _errors.Add(key, $"unknown key '{Shown(name)}'{(_path.Length > 0 ? $" in '{_path}'" : "")}{Spelling.Hint(name, _asked, "keys")}");
        }

        foreach (var section in _sections)
            section.ReportUnknownKeys();
    }

    private (SourceScalar Key, SourceNode Value)? Take(string key)
    {
        _asked.Add(key);
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        _errors.Positions[PathOf(key)] = (entry.Value.Line, entry.Value.Column);
        return entry;
    }

    private SourceScalar? Scalar(string key, string expected)
    {
        if (Take(key) is not { } entry)
            return null;
        if (entry.Value is SourceScalar { IsNull: false } scalar)
            return scalar;
        if (entry.Value is SourceScalar)
            _errors.Add(entry.Key, $"'{PathOf(key)}' has no value; expected {expected}, or remove the key");
        else
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected {expected}");
        return null;
    }

    private string? Expanded(string key, SourceScalar scalar, string expected, bool secret = false)
    {
        if (!Variables.TryExpand(scalar.Text, _environment, out var expanded, out var problem))
        {
            _errors.Add(scalar, $"'{PathOf(key)}': {(secret ? "its ${NAME} names no environment variable that is set" : problem)}");
            return null;
        }

        if (expanded.Length is 0 or > 4_096 || expanded.Any(char.IsControl))
        {
            _errors.Add(scalar, $"'{PathOf(key)}' must be {expected} of 1 to 4096 characters on one line");
            return null;
        }

        return expanded;
    }

    private static string? PathProblem(string text)
    {
        if (text.StartsWith('/'))
            return null;
        return text.StartsWith('~') ? $"'{text}'; write ${{HOME}} instead of ~" : $"'{text}'; expected an absolute path";
    }

    private static string Trimmed(string path) => path.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/";

    private int? ReadInteger(SourceScalar scalar, string path, int minimum, int maximum)
    {
        if (scalar.Plain && int.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= minimum && number <= maximum)
            return number;
        _errors.Add(scalar, $"'{path}' is {scalar.Describe()}; expected a whole number from {minimum} to {maximum}");
        return null;
    }

    private void Missing(string key, string example) =>
        _errors.Add(_position.Line, _position.Column, $"the key '{PathOf(key)}' is missing; add for example '{key}: {example}'");

    private void Wrong(string key, SourceScalar scalar, string expected) =>
        _errors.Add(scalar, $"'{PathOf(key)}' is {scalar.Describe()}; expected {expected}");

    private static string? Problem(string text, int maxLength, Func<string, string?>? check)
    {
        if (text.Length == 0)
            return "has an empty text; write one, or remove it";
        if (text.Length > maxLength)
            return $"has a text of {text.Length} characters; at most {maxLength}";
        if (text.Contains('\0', StringComparison.Ordinal))
            return "has a text with a zero character in it";
        return check?.Invoke(text);
    }

    private string PathOf(string key) => _path.Length == 0 ? key : $"{_path}.{key}";

    private static string Shown(string name) => new([.. (name.Length > 60 ? name[..60] : name).Select(letter => char.IsControl(letter) ? '?' : letter)]);
}
