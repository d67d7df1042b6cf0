using System.Globalization;
using System.Text;

namespace FuncX.Wire;

/// <summary>
/// What a function asks of the node that runs it: a runtime and the versions of it that will do, as <c>python&gt;=3.9,&lt;3.13</c>, or what one worker there has, as <c>cores&gt;=4</c>,
/// <c>memory&gt;=8GiB</c>, <c>accelerators&gt;=1</c>. The operators are those of PEP 440's version specifiers, over release numbers: <c>&gt;= &gt; &lt;= &lt; == != ~=</c>, and <c>.*</c>
/// behind <c>==</c> and <c>!=</c>; of quantities the first six.
/// </summary>
public sealed class RuntimeRequirement
{
    /// <summary>Between several of one function, where they are one text.</summary>
    public const char Separator = ';';

    /// <summary>CPUs of one worker.</summary>
    public const string Cores = "cores";

    /// <summary>MiB of one worker.</summary>
    public const string Memory = "memory";

    /// <summary>Devices that one worker sees.</summary>
    public const string Accelerators = "accelerators";

    private const int MostClauses = 8;
    private const int MostNumbers = 6;

    private static readonly string[] s_runtimes = ["python", "dotnet"];
    private static readonly string[] s_quantities = [Cores, Memory, Accelerators];
    private static readonly (string Unit, int MiB)[] s_units = [("MiB", 1), ("GiB", 1 << 10), ("TiB", 1 << 20)];
    private static readonly string[] s_operators = ["~=", "==", "!=", ">=", "<=", ">", "<"];

    private readonly Clause[] _clauses;

    private RuntimeRequirement(string name, Clause[] clauses) => (Name, _clauses) = (name, clauses);

    /// <summary><c>python</c>, <c>dotnet</c>, <c>cores</c>, <c>memory</c> or <c>accelerators</c>.</summary>
    public string Name { get; }

    /// <summary>Reads one.</summary>
    /// <exception cref="FormatException">It is none; the message says what was seen.</exception>
    public static RuntimeRequirement Parse(string text)
    {
        var compact = text.Replace(" ", "", StringComparison.Ordinal);
        var name = s_runtimes.Concat(s_quantities).FirstOrDefault(known => compact.StartsWith(known, StringComparison.Ordinal))
            ?? throw Wrong(text, $"it must begin with {string.Join(", ", s_runtimes)}, {string.Join(", ", s_quantities[..^1])} or {s_quantities[^1]}");
        var parts = compact[name.Length..].Split(',');
        if (parts.Length > MostClauses)
            throw Wrong(text, $"it has {parts.Length} clauses; the most is {MostClauses}");
        return new RuntimeRequirement(name, [.. parts.Select(part => Read(name, part, text))]);
    }

    /// <summary>Reads several, separated by <see cref="Separator"/>; none of an empty text.</summary>
    public static IReadOnlyList<RuntimeRequirement> ParseAll(string text) => [.. text.Split(Separator, StringSplitOptions.RemoveEmptyEntries).Select(Parse)];

    /// <summary>Memory as a node says what it has.</summary>
    public static string MemoryOf(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20}MiB");

    /// <summary>What a node has, for people: its runtimes, then what each worker has.</summary>
    public static string Describe(IReadOnlyDictionary<string, string> found)
    {
        var (runtimes, quantities) = (Named(s_runtimes), Named(s_quantities));
        return (runtimes.Length > 0 ? runtimes : "no runtime at all") + (quantities.Length > 0 ? $", for each worker {quantities}" : "");

        string Named(string[] names) => string.Join(" and ", names.Order(StringComparer.Ordinal).Where(found.ContainsKey).Select(name => $"{name} {found[name]}"));
    }

    /// <summary>Whether a version, as <c>3.11.2</c>, or a quantity will do. What follows its numbers does not count; null is no such runtime.</summary>
    public bool IsMetBy(string? version)
    {
        if (version is null)
            return false;
        var numbers = Numbers(version);
        return numbers.Length > 0 && _clauses.All(clause => clause.IsMetBy(numbers));
    }

    /// <summary>As it is stored, without spaces.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Name);
        for (var i = 0; i < _clauses.Length; i++)
            text.Append(i > 0 ? "," : "").Append(_clauses[i]).Append(Name == Memory ? s_units[0].Unit : "");
        return text.ToString();
    }

    private static Clause Read(string name, string part, string text)
    {
        var sign = s_operators.FirstOrDefault(known => part.StartsWith(known, StringComparison.Ordinal))
            ?? throw Wrong(text, $"'{part}' does not begin with one of {string.Join(' ', s_operators)}");
        var version = part[sign.Length..];
        if (s_quantities.Contains(name, StringComparer.Ordinal))
            return sign == "~=" ? throw Wrong(text, "~= goes with versions only") : new Clause(sign, [Quantity(name, version, text)], IsPrefix: false);
        var isPrefix = version.EndsWith(".*", StringComparison.Ordinal);
        if (isPrefix && sign is not ("==" or "!="))
            throw Wrong(text, $"'.*' goes with == and != only");
        var numbers = Numbers(isPrefix ? version[..^2] : version);
        if (numbers.Length == 0 || string.Join('.', numbers) != (isPrefix ? version[..^2] : version))
            throw Wrong(text, $"'{version}' is no version of up to {MostNumbers} numbers");
        if (sign == "~=" && numbers.Length < 2)
            throw Wrong(text, "~= wants a version of at least two numbers");
        return new Clause(sign, numbers, isPrefix);
    }

    private static int Quantity(string name, string value, string text)
    {
        var (unit, factor) = ("", 1);
        if (name == Memory)
        {
            (unit, factor) = s_units.FirstOrDefault(known => value.EndsWith(known.Unit, StringComparison.Ordinal));
            if (unit is null)
                throw Wrong(text, $"'{value}' is no memory, as 512MiB, 8GiB and 1TiB are");
        }

        var digits = value[..^unit.Length];
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number.ToString(CultureInfo.InvariantCulture) == digits && number <= int.MaxValue / factor
            ? number * factor
            : throw Wrong(text, $"'{value}' is no whole number{(unit.Length > 0 ? $" of {unit} that a node may have" : "")}");
    }

    /// <summary>The numbers at the beginning; those of 3.14.0rc1 are 3, 14 and 0.</summary>
    private static int[] Numbers(string version)
    {
        var numbers = new List<int>();
        foreach (var part in version.Split('.'))
        {
            var digits = part.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? part[..end] : part;
            if (numbers.Count == MostNumbers || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                break;
            numbers.Add(number);
            if (digits.Length < part.Length)
                break;
        }

        return [.. numbers];
    }

    private static FormatException Wrong(string text, string why) => new($"'{text}' is no requirement, as python>=3.9,<3.13 and cores>=4 are: {why}");

    private sealed record Clause(string Sign, int[] Numbers, bool IsPrefix)
    {
        public bool IsMetBy(int[] version) => Sign switch
        {
            "==" => IsPrefix ? Begins(version, Numbers.Length) : Compare(version) == 0,
            "!=" => IsPrefix ? !Begins(version, Numbers.Length) : Compare(version) != 0,
            ">=" => Compare(version) >= 0,
            "<=" => Compare(version) <= 0,
            ">" => Compare(version) > 0,
            "<" => Compare(version) < 0,
            _ => Compare(version) >= 0 && Begins(version, Numbers.Length - 1),
        };

        public override string ToString() => $"{Sign}{string.Join('.', Numbers)}{(IsPrefix ? ".*" : "")}";

        private int Compare(int[] version)
        {
            for (var i = 0; i < Math.Max(version.Length, Numbers.Length); i++)
            {
                var order = At(version, i).CompareTo(At(Numbers, i));
                if (order != 0)
                    return order;
            }

            return 0;
        }

        private bool Begins(int[] version, int count)
        {
            for (var i = 0; i < count; i++)
            {
                if (At(version, i) != Numbers[i])
                    return false;
            }

            return true;
        }

        private static int At(int[] numbers, int index) => index < numbers.Length ? numbers[index] : 0;
    }
}
