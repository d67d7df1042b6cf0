using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx function register-command NAME PROGRAM [ARGUMENT...]</c>: a command function without a file.</summary>
internal static class RegisterCommandCommand
{
    public static Command Create(CommandLine commands)
    {
        var name = new Argument<string>("name") { Description = "Name for people." };
        var words = new Argument<string[]>("command")
        {
            Description = "The program and its arguments, after --; {parameter} is filled in by a call, {parameter...} becomes as many arguments as its list has.",
            Arity = ArgumentArity.OneOrMore,
        };
        var shell = new Option<bool>("--shell") { Description = "The command is one text for /bin/sh; its parameters are variables of the shell, and named with --parameter." };
        var parameters = Many("--parameter", "A parameter, in the order in which calls give them; may be repeated.");
        var environment = Many("--env", "NAME=TEXT, a variable of its environment; may be repeated.");
        var inputs = Many("--input", "PATH=TEXT, a file written into its working directory; may be repeated.");
        var outputs = Many("--output", "A file, or a pattern of files, that belongs to its result; may be repeated.");
        var stdin = new Option<string?>("--stdin") { Description = "What it reads on its standard input." };
        var walltime = new Option<string?>("--walltime") { Description = "Seconds; one that runs longer ends with return code 124." };
        var check = new Option<bool>("--check") { Description = "A return code that is not 0 is an exception." };
        var keep = new Option<bool>("--keep-output") { Description = "Its whole output stays as files on the endpoint." };
        var description = new Option<string>("--description") { Description = "For people.", DefaultValueFactory = _ => "" };
        var requires = FunctionCommands.Requires();
        var container = ContainerCommands.Option();
        var command = new Command("register-command", "Register a command: a program with arguments that calls fill in.")
        {
            name, words, shell, parameters, environment, inputs, outputs, stdin, walltime, check, keep, description, requires, container,
        };
        commands.On(command, async (invocation, cancellation) =>
        {
            var parsed = invocation.Parsed;
            var given = parsed.GetRequiredValue(words);
            var definition = new JsonObject();
            if (parsed.GetValue(shell))
            {
                definition["command"] = given is [var script] ? script : throw new UsageException("With --shell the command is one text; quote it.");
                definition["shell"] = true;
            }
            else
            {
                definition["command"] = List(given);
            }

            Add(definition, "parameters", parsed.GetValue(parameters));
            Add(definition, "outputs", parsed.GetValue(outputs));
            AddPairs(definition, "environment", "--env", parsed.GetValue(environment));
            AddPairs(definition, "inputs", "--input", parsed.GetValue(inputs));
            if (parsed.GetValue(stdin) is { } text)
                definition["stdin"] = text;
            if (parsed.GetValue(walltime) is { } seconds)
            {
                definition["walltime"] = double.TryParse(seconds, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var limit) && limit > 0
                    ? limit
                    : throw new UsageException($"--walltime is '{seconds}'; it must be a number of seconds above 0.");
            }

            if (parsed.GetValue(check))
                definition["check"] = true;
            if (parsed.GetValue(keep))
                definition["keep_output"] = true;
            await using var client = invocation.Connect();
            await FunctionCommands.TellAsync(invocation, await client.Functions.RegisterCommandAsync(
                parsed.GetRequiredValue(name), definition.ToJsonString(), parsed.GetValue(description) ?? "", parsed.GetValue(requires) ?? [], parsed.GetValue(container), cancellation));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Option<string[]> Many(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.ZeroOrMore };

    private static JsonArray List(string[] texts) => [.. texts.Select(static text => (JsonNode)text)];

    private static void Add(JsonObject definition, string key, string[]? texts)
    {
        if (texts is { Length: > 0 })
            definition[key] = List(texts);
    }

    private static void AddPairs(JsonObject definition, string key, string option, string[]? pairs)
    {
        if (pairs is not { Length: > 0 })
            return;
        var values = new JsonObject();
        foreach (var (name, text) in Pairs.Read(option, "NAME=TEXT", pairs))
            values[name] = text;
        definition[key] = values;
    }
}
