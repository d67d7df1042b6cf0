using System.Text.Json;

namespace FuncX.Definitions;

/// <summary>
/// A function of kind <c>command</c>, as it is registered: what to run and what an argument may fill in. A JSON object; protocol/README.md has its keys. Read
/// strictly at the service, so that whatever is wrong is told to who registers it, and again by the worker. Pure.
/// </summary>
public sealed record CommandDefinition
{
    private const int MostParts = 4_096;

    /// <summary>The program and its arguments; empty when <see cref="Script"/> is set.</summary>
    public IReadOnlyList<TextTemplate> Command { get; private init; } = [];

    /// <summary>With <c>shell: true</c>, the text for /bin/sh. Nothing is filled in: parameters are variables of the shell.</summary>
    public string? Script { get; private init; }

    /// <summary>In the order in which positional arguments fill them.</summary>
    public IReadOnlyList<string> Parameters { get; private init; } = [];

    public IReadOnlyDictionary<string, JsonElement> Defaults { get; private init; } = new Dictionary<string, JsonElement>(StringComparer.Ordinal);

    public IReadOnlyList<KeyValuePair<string, TextTemplate>> Environment { get; private init; } = [];

    public TextTemplate? Stdin { get; private init; }

    /// <summary>Files written into the working directory before it starts.</summary>
    public IReadOnlyList<KeyValuePair<string, TextTemplate>> Inputs { get; private init; } = [];

    /// <summary>Files, or patterns of one directory's files, that belong to the result.</summary>
    public IReadOnlyList<string> Outputs { get; private init; } = [];

    public TimeSpan? Walltime { get; private init; }

    /// <summary>A return code that is not 0 is an exception.</summary>
    public bool Check { get; private init; }

    /// <summary>The whole output stays as files on the endpoint.</summary>
    public bool KeepOutput { get; private init; }

    /// <exception cref="DefinitionException">It is no such object.</exception>
    public static CommandDefinition Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Read(document.RootElement);
        }
        catch (JsonException problem)
        {
            throw new DefinitionException($"a command's definition must be a JSON object: {problem.Message}", problem);
        }
        catch (InvalidOperationException problem)
        {
            // Half of a surrogate pair, or bytes that are no UTF-8: the parser leaves both to whoever asks for the text.
            throw new DefinitionException($"a text in the command's definition is no Unicode: {problem.Message}", problem);
        }
    }

    private static CommandDefinition Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new DefinitionException("a command's definition must be a JSON object");
        var shell = Flag(root, "shell");
        if (!root.TryGetProperty("command", out var command))
            throw new DefinitionException("'command' is missing");
        var definition = new CommandDefinition
        {
            Command = shell ? [] : Arguments(command),
            Script = shell ? ScriptOf(command) : null,
            Environment = Templates(root, "environment", CheckVariable),
            Stdin = root.TryGetProperty("stdin", out var stdin) ? TextTemplate.Parse(Text(stdin, "stdin"), "stdin") : null,
            Inputs = Templates(root, "inputs", static path => CheckPath("inputs", path)),
            Outputs = [.. Texts(root, "outputs").Select(static path => CheckPath("outputs", path))],
            Walltime = Seconds(root, "walltime"),
            Check = Flag(root, "check"),
            KeepOutput = Flag(root, "keep_output"),
        };
        foreach (var property in root.EnumerateObject())
        {
            if (property.Name is not ("command" or "shell" or "parameters" or "defaults" or "environment" or "stdin" or "inputs" or "outputs" or "walltime" or "check" or "keep_output"))
                throw new DefinitionException($"'{property.Name}' is no key of a command; there are command, shell, parameters, defaults, environment, stdin, inputs, outputs, walltime, check and keep_output");
        }

        return definition.WithParameters(root);
    }

    private CommandDefinition WithParameters(JsonElement root)
    {
        List<TextTemplate> templates = [.. Command, .. Environment.Select(static pair => pair.Value), .. Inputs.Select(static pair => pair.Value)];
        if (Stdin is not null)
            templates.Add(Stdin);
        if (Environment.Concat(Inputs).Any(static pair => pair.Value.IsList) || Stdin is { IsList: true })
            throw new DefinitionException("{parameter...} is a list of arguments and can stand in 'command' only");
        var used = templates.SelectMany(static template => template.Parameters).Distinct(StringComparer.Ordinal).ToList();
        var parameters = root.TryGetProperty("parameters", out _) ? Texts(root, "parameters") : used;
        foreach (var name in parameters)
        {
            if (!TextTemplate.IsName(name))
                throw new DefinitionException($"parameters: '{name}' is no name; it begins with a lower-case letter or an underscore and goes on with letters, digits and underscores, at most 64");
        }

        if (parameters.Distinct(StringComparer.Ordinal).Count() != parameters.Count)
            throw new DefinitionException("parameters: a name stands there twice");
        if (used.Find(name => !parameters.Contains(name)) is { } unknown)
            throw new DefinitionException($"{{{unknown}}} is used and is not among the parameters");
        var defaults = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        if (root.TryGetProperty("defaults", out var values))
        {
            foreach (var value in Object(values, "defaults"))
            {
                if (!parameters.Contains(value.Name))
                    throw new DefinitionException($"defaults: '{value.Name}' is not among the parameters");
                defaults[value.Name] = value.Value.Clone();
            }
        }

        return this with { Parameters = parameters, Defaults = defaults };
    }

    private static List<TextTemplate> Arguments(JsonElement command)
    {
        if (command.ValueKind != JsonValueKind.Array || command.GetArrayLength() is 0 or > MostParts)
            throw new DefinitionException($"'command' must be a list of 1 to {MostParts} texts: the program and its arguments; a line for the shell needs 'shell': true");
        var parts = command.EnumerateArray().Select(static (part, place) => TextTemplate.Parse(Text(part, $"command[{place}]"), $"command[{place}]")).ToList();
        if (parts[0].IsList || (!parts[0].Parameters.Any() && parts[0].Fill(new Dictionary<string, JsonElement>()).Length == 0))
            throw new DefinitionException("command[0] must name a program");
        return parts;
    }

    private static string ScriptOf(JsonElement command)
    {
        var script = command.ValueKind == JsonValueKind.String ? command.GetString()! : throw new DefinitionException("with 'shell': true, 'command' must be one text: what /bin/sh runs");
        if (string.IsNullOrWhiteSpace(script) || script.Contains('\0'))
            throw new DefinitionException("'command' is empty or has a zero character");
        return script;
    }

    private static void CheckVariable(string name)
    {
        if (name.Length == 0 || char.IsAsciiDigit(name[0]) || name.Any(static letter => !char.IsAsciiLetterOrDigit(letter) && letter != '_'))
            throw new DefinitionException($"environment: '{name}' is no name of a variable");
        if (name.StartsWith("FUNCX_", StringComparison.Ordinal))
            throw new DefinitionException($"environment: '{name}' belongs to FuncX");
    }

    private static string CheckPath(string key, string path)
    {
        var parts = path.Split('/');
        return path.Length is > 0 and <= 1024 && !path.Contains('\0') && parts.All(static part => part is not ("" or "." or "..") && part.Length <= 255)
            ? path
            : throw new DefinitionException($"{key}: '{path}' must be a path below the working directory, like data/in.txt");
    }

    private static TimeSpan? Seconds(JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is > 0 and <= 31_536_000
            ? TimeSpan.FromSeconds(seconds)
            : throw new DefinitionException($"{key} must be a number of seconds above 0, at most 31536000 (a year)");
    }

    private static bool Flag(JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out var value))
            return false;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw new DefinitionException($"{key} must be true or false");
    }

    private static string Text(JsonElement value, string where) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new DefinitionException($"{where} must be a text");

    private static List<string> Texts(JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out var value))
            return [];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > MostParts)
            throw new DefinitionException($"{key} must be a list of at most {MostParts} texts");
        return [.. value.EnumerateArray().Select((item, place) => Text(item, $"{key}[{place}]"))];
    }

    private static JsonElement.ObjectEnumerator Object(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw new DefinitionException($"{key} must be an object");

    private static List<KeyValuePair<string, TextTemplate>> Templates(JsonElement root, string key, Action<string> check)
    {
        var templates = new List<KeyValuePair<string, TextTemplate>>();
        if (!root.TryGetProperty(key, out var values))
            return templates;
        foreach (var value in Object(values, key))
        {
            check(value.Name);
            templates.Add(new(value.Name, TextTemplate.Parse(Text(value.Value, $"{key}.{value.Name}"), $"{key}.{value.Name}")));
        }

        return templates;
    }

    private static List<KeyValuePair<string, TextTemplate>> Templates(JsonElement root, string key, Func<string, string> check) =>
        Templates(root, key, name => { _ = check(name); });
}
