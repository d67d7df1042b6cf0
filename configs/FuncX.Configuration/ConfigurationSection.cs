using System.Globalization;
using System.Text.Json.Nodes;

namespace FuncX.Configuration;

/// <summary>
/// One section of a file. Every getter takes the key, the value that stands for a key left out, and bounds; what is wrong goes to the file's list
/// of errors and the default is returned, so that reading goes on to the next error. A key that nobody asks for is an unknown key. Every getter also
/// notes what it takes: a file's description is what was noted while a file was read.
/// </summary>
public sealed class ConfigurationSection
{
    // Characters of a path or a secret once its variables are expanded.
    private const int MaxExpanded = 4_096;

    private readonly ConfigurationErrors _errors;
    private readonly KeyNotes _notes;
    private readonly Func<string, string?> _environment;
    private readonly Dictionary<string, (SourceScalar Key, SourceNode Value)> _entries = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _asked = new(StringComparer.Ordinal);
    private readonly List<ConfigurationSection> _sections = [];
    private readonly ConfigurationSection? _parent;
    private readonly string _path;
    private readonly bool _isThere;
    private readonly (int Line, int Column) _position;

    private ConfigurationSection(
        ConfigurationSection? parent, string path, SourceMap? map, (int Line, int Column) position, ConfigurationErrors errors, KeyNotes notes, Func<string, string?> environment)
    {
        _parent = parent;
        _path = path;
        _isThere = map is not null;
        _position = position;
        _errors = errors;
        _notes = notes;
        _environment = environment;
        foreach (var (key, value) in map?.Entries ?? [])
            _entries.Add(key.Text, (key, value));
    }

    internal static ConfigurationSection Root(SourceMap map, ConfigurationErrors errors, KeyNotes notes, Func<string, string?> environment) =>
        new(null, "", map, (map.Line, map.Column), errors, notes, environment);

    /// <summary>Whether the file has the key in this section.</summary>
    public bool Has(string key)
    {
        _asked.Add(key);
        _notes.Ask(PathOf(key));
        return _entries.ContainsKey(key);
    }

    /// <summary>To leave the key out is an error; what it holds is another getter's.</summary>
    /// <param name="key">The key.</param>
    /// <param name="advice">What to do, and why: <c>add for example 'type: local' below 'provider:'</c>.</param>
    public void Require(string key, string advice)
    {
        // A section that is left out lacks the key as well.
        for (var section = this; section is { _isThere: false }; section = section._parent)
            _notes.Require(section._path);
        _notes.Require(PathOf(key));
        if (!Has(key))
            Error(key, $"the key '{PathOf(key)}' is missing; {advice}");
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
        Note(new KeyDescription(PathOf(key), KeyKind.Section));
        if (Take(key) is not { } entry)
            section = Below(key, null, _position);
        else if (entry.Value is SourceMap map)
            section = Below(key, map, (entry.Key.Line, entry.Key.Column));
        else
        {
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected a section: keys below it, or {{key: value, ...}}");
            section = Below(key, null, (entry.Key.Line, entry.Key.Column));
        }

        _sections.Add(section);
        return section;
    }

    /// <summary>A text of 1 to <paramref name="maxLength"/> characters.</summary>
    /// <param name="check">Says in words what is wrong with a text and what would be right; null when it is right.</param>
    public string Text(string key, string fallback, int maxLength = 1_000, Func<string, string?>? check = null) =>
        TakeText(key, fallback, maxLength, check) ?? fallback;

    /// <summary>As <see cref="Text"/>; null when left out.</summary>
    public string? OptionalText(string key, int maxLength = 1_000, Func<string, string?>? check = null) => TakeText(key, null, maxLength, check);

    /// <summary>As <see cref="Text"/>; to leave it out is an error that says <paramref name="example"/>.</summary>
    public string RequiredText(string key, string example, int maxLength = 1_000, Func<string, string?>? check = null)
    {
        Require(key, Example(key, example));
        return OptionalText(key, maxLength, check) ?? "";
    }

    /// <summary>An absolute path, <c>${NAME}</c> expanded.</summary>
    /// <param name="check">As of <see cref="Text"/>; sees the expanded path.</param>
    public string? OptionalPath(string key, Func<string, string?>? check = null) => TakePath(key, null, check);

    /// <summary>A program: a name as it stands, to be found in PATH, or with a slash in it an absolute path, <c>${NAME}</c> expanded.</summary>
    public string Program(string key, string fallback)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Program) { Default = fallback });
        if (Scalar(key, "a program") is not { } scalar)
            return fallback;
        if (scalar.Text.Contains('/', StringComparison.Ordinal))
            return ReadPath(key, scalar, check: null) ?? fallback;
        if (scalar.Text.Length is > 0 and <= 255 && !scalar.Text.Any(letter => char.IsControl(letter) || letter == '$'))
            return scalar.Text;
        Wrong(key, scalar, "a name found in PATH, or an absolute path, like ${HOME}/venv/bin/python");
        return fallback;
    }

    /// <summary>As <see cref="OptionalPath"/>, with a default.</summary>
    public string Path(string key, string fallback) => TakePath(key, fallback, check: null) ?? fallback;

    /// <summary>As <see cref="OptionalPath"/>; to leave it out is an error.</summary>
    public string RequiredPath(string key, string example, Func<string, string?>? check = null)
    {
        Require(key, Example(key, example));
        return OptionalPath(key, check) ?? "";
    }

    /// <summary>A secret, <c>${NAME}</c> expanded; messages never repeat it.</summary>
    public string? OptionalSecret(string key)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Text) { MaxLength = MaxExpanded });
        return Scalar(key, "a text") is { } scalar ? Expanded(key, scalar, "a text", secret: true) : null;
    }

    /// <summary>A whole number within bounds.</summary>
    public int Integer(string key, int fallback, int minimum, int maximum) => TakeInteger(key, fallback, minimum, maximum) ?? fallback;

    /// <summary>As <see cref="Integer"/>; null when left out.</summary>
    public int? OptionalInteger(string key, int minimum, int maximum) => TakeInteger(key, null, minimum, maximum);

    /// <summary>A whole number within bounds, or a word for which, and for a key left out, it is null.</summary>
    public int? IntegerOr(string key, string word, int minimum, int maximum)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Integer) { Default = word, Minimum = Written(minimum), Maximum = Written(maximum), Choices = [word] });
        var expected = $"{word}, or a whole number from {minimum} to {maximum}";
        return Scalar(key, expected) is { } scalar && scalar.Text != word ? ReadInteger(scalar, PathOf(key), minimum, maximum, expected) : null;
    }

    /// <summary>A number above <paramref name="above"/>, at most <paramref name="maximum"/>.</summary>
    public double Number(string key, double fallback, double above, double maximum)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Number) { Default = Written(fallback), Minimum = Written(above), Maximum = Written(maximum) });
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
        Note(new KeyDescription(PathOf(key), KeyKind.Share) { Default = Written(fallback), Minimum = "0", Maximum = "1" });
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
        Note(new KeyDescription(PathOf(key), KeyKind.Flag) { Default = fallback ? "true" : "false" });
        if (Scalar(key, "true or false") is not { } scalar)
            return fallback;
        if (scalar is { Plain: true, Text: "true" or "false" })
            return scalar.Text == "true";
        Wrong(key, scalar, "true or false");
        return fallback;
    }

    /// <summary>A duration within bounds: <c>90s</c>, <c>2m</c>, <c>1h30m</c>, <c>01:00:00</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum) => TakeDuration(key, fallback, minimum, maximum) ?? fallback;

    /// <summary>As <see cref="Duration"/>; null when left out.</summary>
    public TimeSpan? OptionalDuration(string key, TimeSpan minimum, TimeSpan maximum) => TakeDuration(key, null, minimum, maximum);

    /// <summary>Bytes within bounds: <c>8GiB</c>, <c>200GB</c>.</summary>
    public long Size(string key, long fallback, long minimum, long maximum) => TakeSize(key, fallback, minimum, maximum) ?? fallback;

    /// <summary>As <see cref="Size"/>; null when left out.</summary>
    public long? OptionalSize(string key, long minimum, long maximum) => TakeSize(key, null, minimum, maximum);

    /// <summary>One of the names of an enum, in snake_case.</summary>
    public T Choice<T>(string key, T fallback)
        where T : struct, Enum => TakeChoice<T>(key, fallback) ?? fallback;

    /// <summary>As <see cref="Choice"/>; null when left out, or wrong.</summary>
    public T? OptionalChoice<T>(string key)
        where T : struct, Enum => TakeChoice<T>(key, null);

    /// <summary>A list of texts; left out it is <paramref name="fallback"/>.</summary>
    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string> fallback, int maxItems = 1_000, int maxLength = 4_096, Func<string, string?>? check = null)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Texts) { Default = Written(fallback), MaxItems = maxItems, MaxLength = maxLength });
        return ReadTexts(key, fallback, maxItems, maxLength, check);
    }

    /// <summary>A list of absolute paths, <c>${NAME}</c> expanded in each; empty when left out.</summary>
    public IReadOnlyList<string> Paths(string key, int maxItems = 1_000)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Paths) { Default = Written([]), MaxItems = maxItems });
        var paths = new List<string>();
        if (ReadTexts(key, [], maxItems, MaxExpanded, check: null).Count == 0 || Take(key) is not { Value: SourceList list })
            return paths;
        foreach (var item in list.Items.OfType<SourceScalar>())
        {
            // What is no text at all has been told already.
            if (item.IsNull || Problem(item.Text, MaxExpanded, check: null) is not null || Expanded(key, item, "a path") is not { } text)
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
        Note(new KeyDescription(PathOf(key), KeyKind.Integers) { Minimum = Written(minimum), Maximum = Written(maximum) });
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        if (Take(key) is not { } entry)
            return numbers;
        if (entry.Value is not SourceMap map)
        {
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected a section of names and whole numbers: {{name: 4}}");
            return numbers;
        }

        var expected = $"a whole number from {minimum} to {maximum}";
        foreach (var (name, value) in map.Entries)
        {
            if (value is not SourceScalar scalar)
                _errors.Add(value, $"'{PathOf(key)}.{name.Text}' is {value.Describe()}; expected {expected}");
            else if (ReadInteger(scalar, $"{PathOf(key)}.{name.Text}", minimum, maximum, expected) is { } number)
                numbers[name.Text] = number;
        }

        return numbers;
    }

    /// <summary>A section whose keys are free and whose values are texts.</summary>
    /// <param name="checkName">As <paramref name="check"/>, of a key.</param>
    /// <param name="check">As of <see cref="Text"/>.</param>
    public IReadOnlyDictionary<string, string> TextsByName(string key, int maxItems, int maxLength, Func<string, string?> checkName, Func<string, string?> check)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.TextsByName) { MaxItems = maxItems, MaxLength = maxLength });
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Take(key) is not { } entry)
            return texts;
        if (entry.Value is not SourceMap map)
        {
            _errors.Add(entry.Value, $"'{PathOf(key)}' is {entry.Value.Describe()}; expected a section of names and texts: {{NAME: text}}");
            return texts;
        }

        if (map.Entries.Count > maxItems)
            _errors.Add(map, $"'{PathOf(key)}' has {map.Entries.Count} names; at most {maxItems}");
        foreach (var (name, value) in map.Entries)
        {
            var path = $"{PathOf(key)}.{Shown(name.Text)}";
            if (checkName(name.Text) is { } wrong)
                _errors.Add(name, $"'{path}' {wrong}");
            else if (value is not SourceScalar { IsNull: false } text)
                _errors.Add(value, $"'{path}' is {value.Describe()}; expected a text");
            else if (Problem(text.Text, maxLength, check) is { } problem)
                _errors.Add(text, $"'{path}' {problem}");
            else
                texts[name.Text] = text.Text;
        }

        return texts;
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

    private string? TakeText(string key, string? fallback, int maxLength, Func<string, string?>? check)
    {
        // No file can write an empty text: as a default it stands for none.
        Note(new KeyDescription(PathOf(key), KeyKind.Text) { Default = fallback is "" ? null : fallback, MaxLength = maxLength });
        if (Scalar(key, "a text") is not { } scalar)
            return null;
        if (Problem(scalar.Text, maxLength, check) is not { } problem)
            return scalar.Text;
        _errors.Add(scalar, $"'{PathOf(key)}' {problem}");
        return null;
    }

    private string? TakePath(string key, string? fallback, Func<string, string?>? check)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Path) { Default = fallback });
        return Scalar(key, "a path") is { } scalar ? ReadPath(key, scalar, check) : null;
    }

    private string? ReadPath(string key, SourceScalar scalar, Func<string, string?>? check)
    {
        if (Expanded(key, scalar, "a path") is not { } text)
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

    private int? TakeInteger(string key, int? fallback, int minimum, int maximum)
    {
        Note(new KeyDescription(PathOf(key), KeyKind.Integer) { Default = fallback is { } number ? Written(number) : null, Minimum = Written(minimum), Maximum = Written(maximum) });
        var expected = $"a whole number from {minimum} to {maximum}";
        return Scalar(key, expected) is { } scalar ? ReadInteger(scalar, PathOf(key), minimum, maximum, expected) : null;
    }

    private TimeSpan? TakeDuration(string key, TimeSpan? fallback, TimeSpan minimum, TimeSpan maximum)
    {
        var (from, to) = (Quantities.Write(minimum), Quantities.Write(maximum));
        Note(new KeyDescription(PathOf(key), KeyKind.Duration) { Default = fallback is { } standard ? Quantities.Write(standard) : null, Minimum = from, Maximum = to });
        var expected = $"a duration from {from} to {to}, like 90s, 2m, 1h30m or 01:00:00";
        if (Scalar(key, expected) is not { } scalar)
            return null;
        if (Quantities.TryReadDuration(scalar.Text, out var duration) && duration >= minimum && duration <= maximum)
            return duration;
        Wrong(key, scalar, expected);
        return null;
    }

    private long? TakeSize(string key, long? fallback, long minimum, long maximum)
    {
        var (from, to) = (Quantities.Write(minimum), Quantities.Write(maximum));
        Note(new KeyDescription(PathOf(key), KeyKind.Size) { Default = fallback is { } standard ? Quantities.Write(standard) : null, Minimum = from, Maximum = to });
        var expected = $"a size from {from} to {to}, like 8GiB or 512MiB";
        if (Scalar(key, expected) is not { } scalar)
            return null;
        if (Quantities.TryReadSize(scalar.Text, out var bytes) && bytes >= minimum && bytes <= maximum)
            return bytes;
        Wrong(key, scalar, expected);
        return null;
    }

    private T? TakeChoice<T>(string key, T? fallback)
        where T : struct, Enum
    {
        var names = Enum.GetNames<T>().Select(SnakeCase.Of).ToArray();
        Note(new KeyDescription(PathOf(key), KeyKind.Choice) { Default = fallback is { } standard ? SnakeCase.Of(standard) : null, Choices = names });
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

    private IReadOnlyList<string> ReadTexts(string key, IReadOnlyList<string> fallback, int maxItems, int maxLength, Func<string, string?>? check)
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

    private void Note(KeyDescription key) => _notes.Note(key);

    private ConfigurationSection Below(string key, SourceMap? map, (int Line, int Column) position) =>
        new(this, PathOf(key), map, position, _errors, _notes, _environment);

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

        if (expanded.Length is 0 or > MaxExpanded || expanded.Any(char.IsControl))
        {
            _errors.Add(scalar, $"'{PathOf(key)}' must be {expected} of 1 to {MaxExpanded} characters on one line");
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

    private int? ReadInteger(SourceScalar scalar, string path, int minimum, int maximum, string expected)
    {
        if (scalar.Plain && int.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= minimum && number <= maximum)
            return number;
        _errors.Add(scalar, $"'{path}' is {scalar.Describe()}; expected {expected}");
        return null;
    }

    private static string Example(string key, string example) => $"add for example '{key}: {example}'";

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

    private static string Written(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static string Written(IReadOnlyList<string> texts) => new JsonArray([.. texts.Select(static text => JsonValue.Create(text))]).ToJsonString();

    private string PathOf(string key) => _path.Length == 0 ? key : $"{_path}.{key}";

    private static string Shown(string name) => new([.. (name.Length > 60 ? name[..60] : name).Select(letter => char.IsControl(letter) ? '?' : letter)]);
}
