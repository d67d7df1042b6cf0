using System.Text.Json;

namespace FuncX.Definitions;

/// <summary>The JSON arguments of one call: positional ones and named ones, as protocol/README.md says. Pure.</summary>
public sealed record CallArguments(IReadOnlyList<JsonElement> Positional, IReadOnlyDictionary<string, JsonElement> Named)
{
    private static readonly Dictionary<string, JsonElement> s_none = new(StringComparer.Ordinal);

    public static CallArguments None { get; } = new([], s_none);

    /// <exception cref="ArgumentsException">It is no list and no object of <c>args</c> and <c>kwargs</c>.</exception>
    public static CallArguments Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Read(document.RootElement.Clone());
        }
        catch (JsonException problem)
        {
            throw new ArgumentsException($"the arguments are not JSON: {problem.Message}", problem);
        }
        catch (InvalidOperationException problem)
        {
            // A name with half of a surrogate pair, or with bytes that are no UTF-8: the parser leaves both to whoever asks for the text.
            throw new ArgumentsException($"a name among the arguments is no Unicode text: {problem.Message}", problem);
        }
    }

    private static CallArguments Read(JsonElement root)
    {
        if (root.ValueKind == JsonValueKind.Array)
            return new CallArguments([.. root.EnumerateArray()], s_none);
        if (root.ValueKind != JsonValueKind.Object)
            throw new ArgumentsException("the arguments must be a list, or an object with 'args', 'kwargs' or both");
        var hasArguments = root.TryGetProperty("args", out var args);
        var hasNamed = root.TryGetProperty("kwargs", out var named);
        if ((!hasArguments && !hasNamed) || root.EnumerateObject().Count() != (hasArguments ? 1 : 0) + (hasNamed ? 1 : 0))
            throw new ArgumentsException("the arguments must be an object with 'args', 'kwargs' or both, and nothing else");
        if ((hasArguments && args.ValueKind != JsonValueKind.Array) || (hasNamed && named.ValueKind != JsonValueKind.Object))
            throw new ArgumentsException("'args' must be a list and 'kwargs' an object");
        return new CallArguments(
            hasArguments ? [.. args.EnumerateArray()] : [],
            hasNamed ? named.EnumerateObject().ToDictionary(static one => one.Name, static one => one.Value, StringComparer.Ordinal) : s_none);
    }

    /// <summary>A value for each of a function's parameters.</summary>
    /// <exception cref="ArgumentsException">Too many, one twice, one that there is no parameter for, or one missing.</exception>
    public Dictionary<string, JsonElement> Bind(IReadOnlyList<string> parameters, IReadOnlyDictionary<string, JsonElement> defaults)
    {
        var values = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        if (Positional.Count > parameters.Count)
            throw new ArgumentsException($"there are {Positional.Count} arguments; the function takes {Takes(parameters)}");
        for (var i = 0; i < Positional.Count; i++)
            values[parameters[i]] = Positional[i];
        foreach (var (name, value) in Named)
        {
            if (!parameters.Contains(name))
                throw new ArgumentsException($"there is no parameter '{name}'; the function takes {Takes(parameters)}");
            if (!values.TryAdd(name, value))
                throw new ArgumentsException($"the parameter '{name}' is given twice, by place and by name");
        }

        foreach (var name in parameters)
        {
            if (values.ContainsKey(name))
                continue;
            values[name] = defaults.TryGetValue(name, out var standard) ? standard : throw new ArgumentsException($"the argument '{name}' is missing; the function takes {Takes(parameters)}");
        }

        return values;
    }

    private static string Takes(IReadOnlyList<string> parameters) => parameters.Count == 0 ? "none" : string.Join(", ", parameters);
}
