using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncX.Configuration;
using Shouldly;

namespace FuncX.Tests.Unit;

/// <summary>A YAML text as an editor sees it, by the core schema of YAML 1.2, with the places where its values stand.</summary>
internal sealed partial class YamlAsJson
{
    private readonly SourceMap _root;

    public YamlAsJson(string yaml)
    {
        var errors = new ConfigurationErrors("x.yaml");
        _root = SourceParser.Parse(yaml, errors).ShouldNotBeNull();
        errors.Count.ShouldBe(0);
        Value = JsonSerializer.SerializeToElement(Of(_root));
    }

    public JsonElement Value { get; }

    /// <summary>Where the key and the value of a JSON pointer stand, or of the text itself.</summary>
    public IReadOnlyList<(int Line, int Column)> PlacesOf(string pointer)
    {
        SourceNode node = _root;
        List<(int, int)> places = [(_root.Line, _root.Column)];
        foreach (var part in pointer.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (node is SourceMap map)
            {
                var (key, value) = map.Entries.Single(entry => entry.Key.Text == part);
                (node, places) = (value, [(key.Line, key.Column), (value.Line, value.Column)]);
            }
            else
            {
                node = node.ShouldBeOfType<SourceList>().Items[int.Parse(part, CultureInfo.InvariantCulture)];
                places = [(node.Line, node.Column)];
            }
        }

        return places;
    }

    private static JsonNode? Of(SourceNode node) => node switch
    {
        SourceMap map => new JsonObject(map.Entries.Select(static entry => KeyValuePair.Create(entry.Key.Text, Of(entry.Value)))),
        SourceList list => new JsonArray([.. list.Items.Select(Of)]),
        SourceScalar { IsNull: true } => null,
        SourceScalar { Plain: true, Text: "true" or "false" } scalar => scalar.Text == "true",
        SourceScalar { Plain: true } scalar when Number().IsMatch(scalar.Text) => JsonNode.Parse(scalar.Text),
        SourceScalar scalar => scalar.Text,
        _ => throw new ArgumentOutOfRangeException(nameof(node), node, "no such node"),
    };

    // Of the numbers those that JSON writes in the same way.
    [GeneratedRegex(@"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$")]
    private static partial Regex Number();
}
