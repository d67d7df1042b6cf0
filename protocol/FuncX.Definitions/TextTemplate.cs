using System.Text;
using System.Text.Json;

namespace FuncX.Definitions;

/// <summary>
/// Text with <c>{parameter}</c> in it; <c>{{</c> and <c>}}</c> stand for braces. Parsed once, when the function is defined: what an argument holds is never parsed,
/// so an argument can fill its place and do nothing else. Pure.
/// </summary>
public sealed class TextTemplate
{
    // Literal text at even places, a parameter's name at odd ones.
    private readonly List<string> _parts;

    private TextTemplate(List<string> parts, bool isList)
    {
        _parts = parts;
        IsList = isList;
    }

    /// <summary>It is <c>{parameter...}</c>: a list, each item of which becomes an argument of its own.</summary>
    public bool IsList { get; }

    /// <summary>The parameters it uses, in the order they stand.</summary>
    public IEnumerable<string> Parameters => _parts.Where(static (_, place) => place % 2 == 1);

    /// <exception cref="DefinitionException">A brace without its other, or a name that is none.</exception>
    public static TextTemplate Parse(string text, string where)
    {
        if (text.Contains('\0'))
            throw new DefinitionException($"{where} has a zero character");
        if (text.Length > 5 && text[0] == '{' && text.EndsWith("...}", StringComparison.Ordinal) && IsName(text.AsSpan(1, text.Length - 5)))
            return new TextTemplate(["", text[1..^4], ""], isList: true);
        var parts = new List<string>();
        var literal = new StringBuilder();
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] is '{' or '}' && at + 1 < text.Length && text[at + 1] == text[at])
            {
                literal.Append(text[at++]);
            }
            else if (text[at] == '{')
            {
                var end = text.IndexOf('}', at);
                if (end < 0 || !IsName(text.AsSpan(at + 1, end - at - 1)))
                    throw new DefinitionException($"{where}: '{text}' has a brace at {at} that begins no {{parameter}}; write {{{{ for a brace");
                parts.Add(literal.ToString());
                parts.Add(text[(at + 1)..end]);
                literal.Clear();
                at = end;
            }
            else if (text[at] == '}')
            {
                throw new DefinitionException($"{where}: '{text}' has a closing brace at {at} that ends nothing; write }}}} for a brace");
            }
            else
            {
                literal.Append(text[at]);
            }
        }

        parts.Add(literal.ToString());
        return new TextTemplate(parts, isList: false);
    }

    /// <summary>A parameter: a lower-case letter or underscore, then letters, digits and underscores. No variable of an environment that matters looks like it.</summary>
    public static bool IsName(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.Length > 64 || !(char.IsAsciiLetterLower(text[0]) || text[0] == '_'))
            return false;
        foreach (var letter in text)
        {
            if (!char.IsAsciiLetterOrDigit(letter) && letter != '_')
                return false;
        }

        return true;
    }

    /// <exception cref="ArgumentsException">A value that is no text.</exception>
    public string Fill(IReadOnlyDictionary<string, JsonElement> values)
    {
        if (_parts.Count == 1)
            return _parts[0];
        var text = new StringBuilder();
        for (var i = 0; i < _parts.Count; i++)
            text.Append(i % 2 == 0 ? _parts[i] : TextOf(_parts[i], values[_parts[i]]));
        return text.ToString();
    }

    /// <summary>The arguments that it becomes: one, or as many as its list has.</summary>
    /// <exception cref="ArgumentsException">A value that is no text, or no list where one is due.</exception>
    public IEnumerable<string> FillArguments(IReadOnlyDictionary<string, JsonElement> values)
    {
        if (!IsList)
            return [Fill(values)];
        var name = _parts[1];
        var list = values[name];
        return list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Select(item => TextOf(name, item))]
            : throw new ArgumentsException($"the argument '{name}' is {Describe(list)}; {{{name}...}} takes a list of texts and numbers");
    }

    internal static string TextOf(string name, JsonElement value)
    {
        var text = value.ValueKind switch
        {
            JsonValueKind.String => UnicodeOf(name, value),
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => throw new ArgumentsException($"the argument '{name}' is {Describe(value)}; it must be a text, a number or a truth value"),
        };
        return text.Contains('\0') ? throw new ArgumentsException($"the argument '{name}' has a zero character; no argument of a program can") : text;
    }

    private static string UnicodeOf(string name, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException problem)
        {
            // As in CallArguments.Read.
            throw new ArgumentsException($"the argument '{name}' is no Unicode text: {problem.Message}", problem);
        }
    }

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "null",
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a text",
        _ => value.GetRawText(),
    };
}
