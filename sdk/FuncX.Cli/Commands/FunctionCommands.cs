using System.CommandLine;
using FuncX.Cli.Output;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx function register|list|show|delete</c>.</summary>
internal static class FunctionCommands
{
    public static Command Create(CommandLine commands) => new("function", "Register, list, show and delete functions.")
    {
        Register(commands),
        RegisterCommandCommand.Create(commands),
        List(commands),
        Show(commands),
        Delete(commands),
    };

    private static Command Register(CommandLine commands)
    {
        var source = new Argument<string>("source")
        {
            Description = "FILE.py:NAME, a Python file and the name it defines; LIBRARY.dll::Namespace.Type::Method, a .NET method; or FILE.json, a command's definition.",
        };
        var name = new Option<string?>("--name") { Description = "Name for people; the function's own, or the file's, when left out." };
        var description = new Option<string>("--description") { Description = "For people.", DefaultValueFactory = _ => "" };
        var requires = Requires();
        var container = ContainerCommands.Option();
        var command = new Command("register", "Register a function from a file: Python, .NET or a command.") { source, name, description, requires, container };
        commands.On(command, async (invocation, cancellation) =>
        {
            var file = FunctionSource.Read(invocation.Parsed.GetRequiredValue(source));
            await using var client = invocation.Connect();
            await TellAsync(invocation, await file.RegisterAsync(
                client.Functions, invocation.Parsed.GetValue(name), invocation.Parsed.GetValue(description) ?? "", invocation.Parsed.GetValue(requires) ?? [], invocation.Parsed.GetValue(container), cancellation));
            return ExitCodes.Ok;
        });
        return command;
    }

    internal static Option<string[]> Requires() => new("--requires")
    {
        Description = "What a node must have, as 'python>=3.9,<3.13' or 'dotnet>=10', or a worker there, as 'cores>=4', 'memory>=8GiB' or 'accelerators>=1'; may be repeated. Without it the task ends at once.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    /// <summary>Says what was registered.</summary>
    internal static async Task TellAsync(Invocation invocation, FunctionInfo function)
    {
        if (invocation.IsJson)
            invocation.WriteJson(Document(function));
        else
            await invocation.Terminal.Output.WriteLineAsync(function.FunctionId);
    }

    private static Command List(CommandLine commands)
    {
        var limit = WholeNumber.Option("--limit", "At most so many, newest first", 1, 1_000, 100);
        var command = new Command("list", "List your functions, newest first.") { limit };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var functions = await client.Functions.ListAsync(invocation.Parsed.GetValue(limit), cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(functions.Select(Document));
                return ExitCodes.Ok;
            }

            var table = Tables.New("name", "function id", "kind", "registered", "description");
            foreach (var function in functions)
                table.Add(function.Name, function.FunctionId, Kind(function), Tables.Time(function.RegisteredAt), function.Description);
            invocation.Terminal.People.Write(table);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Show(CommandLine commands)
    {
        var named = Named();
        var command = new Command("show", "Show one function with its source.") { named };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var function = await client.Functions.GetAsync(invocation.Parsed.GetRequiredValue(named), withCode: true, cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(new
                {
                    function.FunctionId,
                    function.Name,
                    Kind = Kind(function),
                    function.Entry,
                    function.Description,
                    function.RegisteredAt,
                    function.Requires,
                    function.ContainerId,
                    Code = function.Kind == FunctionKind.Dotnet ? function.Code.ToBase64() : function.Code.ToStringUtf8(),
                });
                return ExitCodes.Ok;
            }

            var output = invocation.Terminal.Output;
            await output.WriteLineAsync($"function     {function.FunctionId}");
            await output.WriteLineAsync($"name         {function.Name}");
            await output.WriteLineAsync($"kind         {Kind(function)}{(function.Entry.Length > 0 ? $", calls {function.Entry}" : "")}");
            if (function.Description.Length > 0)
                await output.WriteLineAsync($"description  {function.Description}");
            if (function.Requires.Count > 0)
                await output.WriteLineAsync($"requires     {string.Join(" and ", function.Requires)}");
            if (function.ContainerId.Length > 0)
                await output.WriteLineAsync($"container    {function.ContainerId}");
            await output.WriteLineAsync($"registered   {Tables.Time(function.RegisteredAt)}");
            await output.WriteLineAsync();
            await output.WriteLineAsync(function.Kind == FunctionKind.Dotnet ? $"a package of {function.Code.Length:N0} bytes" : function.Code.ToStringUtf8().TrimEnd());
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Delete(CommandLine commands)
    {
        var named = Named();
        var command = new Command("delete", "Delete a function; calls already accepted still run.") { named };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var function = await client.Functions.GetAsync(invocation.Parsed.GetRequiredValue(named), withCode: false, cancellation);
            await client.Functions.DeleteAsync(function, cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(new { Deleted = function.FunctionId });
            else
                await invocation.Terminal.Output.WriteLineAsync($"Deleted function {function.Name} ({function.FunctionId}).");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<string> Named() => new("function") { Description = "A function's id, the first 8 or more digits of it, or its name." };

    private static object Document(FunctionInfo function) =>
        new { function.FunctionId, function.Name, Kind = Kind(function), function.Entry, function.Description, function.RegisteredAt, function.Requires, function.ContainerId };

    private static string Kind(FunctionInfo function) => function.Kind.ToString().ToLowerInvariant();
}
