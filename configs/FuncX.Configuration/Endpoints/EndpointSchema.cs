using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FuncX.Configuration;

/// <summary>
/// A machine's file as a JSON Schema (draft 2020-12), for editors. It refuses no file that the reader takes. What the reader refuses and it does not: bounds of durations and sizes, what
/// a text must look like, what holds between keys, and notations of YAML that other readers take (<c>0x10</c>, <c>True</c>, <c>3.0</c>).
/// </summary>
public static class EndpointSchema
{
    // With a slash in it an absolute path; a variable may stand for its beginning.
    private const string AbsolutePath = @"^(?:/|\$\{[A-Za-z_][A-Za-z0-9_]*\})";
    private const string NameOrPath = @"^(?:[^/$]{1,255}$|/|\$\{[A-Za-z_][A-Za-z0-9_]*\}.*/)";

    // A file for people to read: quotes and dashes as they are.
    private static readonly JsonSerializerOptions s_readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    /// <summary>The schema as a text that ends with a line break.</summary>
    public static string Write()
    {
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "A machine's file for funcx-endpoint",
            ["description"] = "Made by `funcx-endpoint schema` of what the reader asks for. `funcx-endpoint validate` checks more: bounds of durations and sizes, what a text must look like, and what holds between keys.",
        };
        foreach (var (name, value) in Section(""))
            schema[name] = value?.DeepClone();
        schema["allOf"] = new JsonArray([.. Enum.GetValues<ProviderKind>().Select(Conditional)]);
        return schema.ToJsonString(s_readable) + "\n";
    }

    /// <summary>What holds of a section with every kind of provider.</summary>
    private static JsonObject Section(string path)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var key in EndpointKeys.Of(path))
        {
            properties[key.Name] = Common(key);
            if (key.IsAlwaysRequired)
                required.Add(key.Name);
        }

        var section = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
        if (required.Count > 0)
            section["required"] = required;
        return section;
    }

    private static JsonObject Common(EndpointKey key)
    {
        var all = key.With.Values.Select(one => Members(key, one)).ToArray();
        var common = new JsonObject();
        foreach (var (name, value) in all[0])
        {
            if (all.All(one => JsonNode.DeepEquals(one[name], value)))
                common[name] = value?.DeepClone();
        }

        foreach (var (name, value) in key.IsSection ? Section(key.Path) : new JsonObject())
            common[name] = value?.DeepClone();
        return common;
    }

    /// <summary>What holds with one kind of provider beside what holds with every one.</summary>
    private static JsonObject Conditional(ProviderKind kind)
    {
        var provider = new JsonObject
        {
            ["required"] = new JsonArray("provider"),
            ["properties"] = new JsonObject
            {
                ["provider"] = new JsonObject
                {
                    ["type"] = "object",
                    ["required"] = new JsonArray("type"),
                    ["properties"] = new JsonObject { ["type"] = new JsonObject { ["const"] = SnakeCase.Of(kind) } },
                },
            },
        };
        return new JsonObject
        {
            ["if"] = kind == new ProviderConfiguration().Type
                ? new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["not"] = new JsonObject { ["required"] = new JsonArray("provider") } }, provider) }
                : provider,
            ["then"] = Difference("", kind),
        };
    }

    private static JsonObject Difference(string path, ProviderKind kind)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var key in EndpointKeys.Of(path))
        {
            if (!key.With.TryGetValue(kind, out var description))
            {
                properties[key.Name] = false;
                continue;
            }

            if (description.IsRequired && !key.IsAlwaysRequired)
                required.Add(key.Name);
            var difference = key.IsSection ? Difference(key.Path, kind) : new JsonObject();
            var common = Common(key);
            foreach (var (name, value) in Members(key, description))
            {
                if (!common.ContainsKey(name))
                    difference[name] = value?.DeepClone();
            }

            if (difference.Count > 0)
                properties[key.Name] = difference;
        }

        var section = new JsonObject();
        if (properties.Count > 0)
            section["properties"] = properties;
        if (required.Count > 0)
            section["required"] = required;
        return section;
    }

    private static JsonObject Members(EndpointKey key, KeyDescription description)
    {
        var members = new JsonObject { ["description"] = Meaning(key, description) };
        foreach (var (name, value) in Values(description))
            members[name] = value?.DeepClone();
        if (description.Default is { } standard)
        {
            members["default"] = description.Kind is KeyKind.Number or KeyKind.Share or KeyKind.Flag or KeyKind.Texts or KeyKind.Paths || (description.Kind == KeyKind.Integer && !description.Choices.Contains(standard))
                ? JsonNode.Parse(standard)
                : standard;
        }

        return members;
    }

    private static JsonObject Values(KeyDescription key) => key.Kind switch
    {
        KeyKind.Section => new JsonObject(),
        KeyKind.Text => Text(key.MaxLength),
        KeyKind.Path => Path(),
        KeyKind.Program => new JsonObject { ["type"] = Scalars(), ["pattern"] = NameOrPath },
        KeyKind.Integer when key.Choices.Count > 0 => new JsonObject { ["anyOf"] = new JsonArray(OneOf(key.Choices), Bounded("integer", "minimum", key)) },
        KeyKind.Integer => Bounded("integer", "minimum", key),
        KeyKind.Number => Bounded("number", "exclusiveMinimum", key),
        KeyKind.Share => Bounded("number", "minimum", key),
        KeyKind.Flag => new JsonObject { ["type"] = "boolean" },
        KeyKind.Duration => new JsonObject { ["type"] = "string", ["pattern"] = Quantities.DurationPattern },
        KeyKind.Size => new JsonObject { ["type"] = "string", ["pattern"] = Quantities.SizePattern },
        KeyKind.Choice => OneOf(key.Choices),
        KeyKind.Texts => new JsonObject { ["type"] = "array", ["items"] = Text(key.MaxLength), ["maxItems"] = key.MaxItems },
        KeyKind.Paths => new JsonObject { ["type"] = "array", ["items"] = Path(), ["maxItems"] = key.MaxItems },
        KeyKind.Integers => new JsonObject { ["type"] = "object", ["additionalProperties"] = Bounded("integer", "minimum", key) },
        KeyKind.TextsByName => new JsonObject { ["type"] = "object", ["additionalProperties"] = Text(key.MaxLength), ["maxProperties"] = key.MaxItems },
        _ => throw new ArgumentOutOfRangeException(nameof(key), key.Kind, "no such kind of key"),
    };

    private static JsonObject Text(int? maxLength) => new() { ["type"] = Scalars(), ["minLength"] = 1, ["maxLength"] = maxLength };

    private static JsonObject Path() => new() { ["type"] = "string", ["pattern"] = AbsolutePath };

    private static JsonObject OneOf(IEnumerable<string> words) => new() { ["enum"] = new JsonArray([.. words.Select(static word => JsonValue.Create(word))]) };

    private static JsonObject Bounded(string type, string minimum, KeyDescription key) =>
        new() { ["type"] = type, [minimum] = JsonNode.Parse(key.Minimum!), ["maximum"] = JsonNode.Parse(key.Maximum!) };

    // A text without quotes may look like something else: 'accelerators: [0, 1]'.
    private static JsonArray Scalars() => new("string", "number", "boolean");

    private static string Meaning(EndpointKey key, KeyDescription description)
    {
        var meaning = KeyMeanings.Of(key).Replace(KeyMeanings.Star, " (checked now and built later: `start` refuses it).", StringComparison.Ordinal);
        if (description.Kind is KeyKind.Duration or KeyKind.Size)
            meaning += $" From {description.Minimum} to {description.Maximum}.";
        return meaning;
    }
}
