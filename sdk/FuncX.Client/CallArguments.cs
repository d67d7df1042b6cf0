using System.Buffers;
using System.Text.Json;
using FuncX.Client.Json;
using FuncX.Wire;

namespace FuncX.Client;

/// <summary>All arguments of one call: positional and by name, JSON text as it is, or bytes.</summary>
public sealed class CallArguments
{
    private readonly object?[] _positional;
    private readonly ReadOnlyMemory<byte> _json;
    private List<KeyValuePair<string, object?>>? _named;

    private CallArguments(object?[] positional, ReadOnlyMemory<byte> json, ContentType contentType = ContentType.Json) =>
        (_positional, _json, ContentType) = (positional, json, contentType);

    /// <summary>How they travel.</summary>
    internal ContentType ContentType { get; }

    /// <summary>No arguments.</summary>
    public static CallArguments None { get; } = FromJson("[]"u8.ToArray());

    /// <summary>Positional arguments, each written as JSON by its own type.</summary>
    public static CallArguments Of(params object?[] positional) => new(positional, default);

    /// <summary>
    /// UTF-8 JSON as a worker reads it: an array of positional arguments, or <c>{"args": [...], "kwargs": {...}}</c>. The bytes must not change until the
    /// call was sent.
    /// </summary>
    /// <exception cref="FormatException">It is not JSON, or neither of the two.</exception>
    public static CallArguments FromJson(ReadOnlyMemory<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json.Span);
            reader.Read();
            var isArray = reader.TokenType == JsonTokenType.StartArray;
            var fits = isArray || (reader.TokenType == JsonTokenType.StartObject && IsArgumentsObject(ref reader));
            if (isArray)
                reader.Skip();
            if (fits && !reader.Read())
                return new CallArguments([], json);
        }
        catch (JsonException problem)
        {
            throw new FormatException($"The arguments are not JSON: {problem.Message}", problem);
        }

        throw new FormatException("The arguments are neither an array nor an object of \"args\" and \"kwargs\".");
    }

    /// <summary>
    /// Bytes as they are: a Python function gets them as its only argument and returns bytes, a command reads them on standard input. For maps with
    /// <see cref="MapOptions.Octets"/> and for <see cref="FuncXClient.SubmitAllAsync"/>. They must not change until the call was sent.
    /// </summary>
    public static CallArguments FromOctets(ReadOnlyMemory<byte> bytes) => new([], bytes, ContentType.Octets);

    /// <summary>Adds an argument by name.</summary>
    /// <returns>The same object.</returns>
    public CallArguments With(string name, object? value)
    {
        if (!_json.IsEmpty || ContentType != ContentType.Json)
            throw new InvalidOperationException($"Argument '{name}' cannot be added to arguments that were given as JSON or bytes.");
        (_named ??= []).Add(new KeyValuePair<string, object?>(name, value));
        return this;
    }

    internal void Write(PooledBuffer buffer, JsonSerializerOptions options)
    {
        if (!_json.IsEmpty || ContentType != ContentType.Json)
        {
            buffer.Write(_json.Span);
            return;
        }

        var writer = ThreadWriter.Take(buffer, options);
        if (_named is null)
        {
            WritePositional(writer, options);
        }
        else
        {
            writer.WriteStartObject();
            writer.WritePropertyName("args"u8);
            WritePositional(writer, options);
            writer.WriteStartObject("kwargs"u8);
            foreach (var (name, value) in _named)
            {
                writer.WritePropertyName(name);
                JsonSerializer.Serialize(writer, value, value?.GetType() ?? typeof(object), options);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.Flush();
        ThreadWriter.Keep(writer);
    }

    private void WritePositional(Utf8JsonWriter writer, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var value in _positional)
            JsonSerializer.Serialize(writer, value, value?.GetType() ?? typeof(object), options);
        writer.WriteEndArray();
    }

    private static bool IsArgumentsObject(ref Utf8JsonReader reader)
    {
        var known = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var args = reader.ValueTextEquals("args"u8);
            if (!args && !reader.ValueTextEquals("kwargs"u8))
                return false;
            known = true;
            reader.Read();
            if (reader.TokenType != (args ? JsonTokenType.StartArray : JsonTokenType.StartObject))
                return false;
            reader.Skip();
        }

        return known;
    }
}
