using System.Text;
using System.Text.Json;

namespace FuncX.Definitions;

/// <summary>One call of a command function: its template with the arguments filled in. Pure.</summary>
public sealed record CommandCall
{
    /// <summary>The program and its arguments, each what one argument of the program is.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    public required IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; }

    /// <summary>What it reads on descriptor 0; null: nothing.</summary>
    public byte[]? Stdin { get; init; }

    public required IReadOnlyList<KeyValuePair<string, string>> Inputs { get; init; }

    /// <exception cref="ArgumentsException">The arguments do not fit.</exception>
    public static CommandCall Create(CommandDefinition definition, CallArguments arguments, byte[]? stdin = null)
    {
        if (stdin is not null && definition.Stdin is not null)
            throw new ArgumentsException("bytes are what a command reads on its standard input, and this function fills that in itself");
        var values = arguments.Bind(definition.Parameters, definition.Defaults);
        return new CommandCall
        {
            Command = definition.Script is { } script ? Shell(script, definition.Parameters, values) : [.. definition.Command.SelectMany(part => part.FillArguments(values))],
            Environment = [.. definition.Environment.Select(pair => new KeyValuePair<string, string>(pair.Key, pair.Value.Fill(values)))],
            Stdin = stdin ?? (definition.Stdin is null ? null : Encoding.UTF8.GetBytes(definition.Stdin.Fill(values))),
            Inputs = [.. definition.Inputs.Select(pair => new KeyValuePair<string, string>(pair.Key, pair.Value.Fill(values)))],
        };
    }

    // The values are arguments of the shell and reach its text as variables: the shell does not parse them. A parameter's name is a name and nothing else.
    private static List<string> Shell(string script, IReadOnlyList<string> parameters, Dictionary<string, JsonElement> values)
    {
        var prologue = new StringBuilder();
        foreach (var name in parameters)
            prologue.Append(name).Append("=$1; shift; ");
        return ["/bin/sh", "-c", prologue.Append('\n').Append(script).ToString(), "funcx", .. parameters.Select(name => TextTemplate.TextOf(name, values[name]))];
    }
}
