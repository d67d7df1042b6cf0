using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncX.Client;
using FuncX.Wire;

namespace FuncX.Cli.Output;

/// <summary>A task's value for people and for programs.</summary>
internal static class Values
{
    /// <summary>For people: a JSON string as its text, other JSON as it is; what is no JSON is described.</summary>
    public static string Text(RawResult value)
    {
        if (value.ContentType != ContentType.Json)
            return $"({value.Bytes.Length} bytes of {value.ContentType.ToString().ToLowerInvariant()})";
        var span = value.Bytes.Span;
        return span.Length > 0 && span[0] == (byte)'"' ? JsonSerializer.Deserialize<string>(span)! : Encoding.UTF8.GetString(span);
    }

    /// <summary>For programs: the JSON itself; what is no JSON as <c>{"content_type", "base64"}</c>. NaN and the infinities, which Python writes, become strings.</summary>
    public static JsonNode? Node(RawResult value)
    {
        if (value.ContentType != ContentType.Json)
        {
            return new JsonObject
            {
                ["content_type"] = value.ContentType.ToString().ToLowerInvariant(),
                ["base64"] = Convert.ToBase64String(value.Bytes.Span),
            };
        }

        try
        {
            return JsonNode.Parse(value.Bytes.Span);
        }
        catch (JsonException)
        {
            return JsonValue.Create(Encoding.UTF8.GetString(value.Bytes.Span));
        }
    }
}
