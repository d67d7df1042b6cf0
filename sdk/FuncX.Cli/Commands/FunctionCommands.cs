using System.Buffers;
using System.CommandLine;
using System.Text;
using System.Text.RegularExpressions;
using System.Text.Unicode;
using FuncX.Cli.Output;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx function register|list|show|delete</c>.</summary>
internal static class FunctionCommands
{
    public static Command Create(CommandLine commands) => new("function", "Register, list, show and delete functions.")
    {
        Register(commands),
        List(commands),
        Show(commands),
        Delete(commands),
    };

    private static Command Register(CommandLine commands)
    {
        var source = new Argument<string>("file:name") { Description = "Python file and the name it defines, as work.py:fit." };
        var name = new Option<string?>("--name") { Description = "Name for people; the Python name when left out." };
        var description = new Option<string>("--description") { Description = "For people.", DefaultValueFactory = _ => "" };
        var command = new Command("register", "Register a Python function from a file.") { source, name, description };
        commands.On(command, async (invocation, cancellation) =>
        {
            var (code, entry) = ReadSource(invocation.Parsed.GetRequiredValue(source));
            await using var client = invocation.Connect();
            var function = await client.Functions.RegisterPythonAsync(
                code, entry, invocation.Parsed.GetValue(name), invocation.Parsed.GetValue(description) ?? "", cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(Document(function));
            else
                await invocation.Terminal.Output.WriteLineAsync(function.FunctionId);
            return ExitCodes.Ok;
        });
        return command;
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
                    Code = function.Code.ToStringUtf8(),
                });
                return ExitCodes.Ok;
            }

            var output = invocation.Terminal.Output;
            await output.WriteLineAsync($"function     {function.FunctionId}");
            await output.WriteLineAsync($"name         {function.Name}");
            await output.WriteLineAsync($"kind         {Kind(function)}, calls {function.Entry}");
            if (function.Description.Length > 0)
                await output.WriteLineAsync($"description  {function.Description}");
            await output.WriteLineAsync($"registered   {Tables.Time(function.RegisteredAt)}");
            await output.WriteLineAsync();
            await output.WriteLineAsync(function.Code.ToStringUtf8().TrimEnd());
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

    /// <summary>Splits FILE.py:NAME and reads the file.</summary>
    internal static (string Code, string Entry) ReadSource(string source)
    {
        var colon = source.LastIndexOf(':');
        if (colon <= 0 || colon == source.Length - 1)
            throw new UsageException($"'{source}' names no function; write FILE.py:NAME, as work.py:fit.");
        var (file, entry) = (source[..colon], source[(colon + 1)..]);
        if (!Regex.IsMatch(entry, @"^[\p{L}_][\p{L}\p{Nd}_]*$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)))
            throw new UsageException($"'{entry}' in '{source}' is not a Python name.");
        if (!File.Exists(file))
            throw new UsageException($"{file} does not exist.");
        var code = ReadUtf8(file);
        if (!Regex.IsMatch(code, $@"\b{Regex.Escape(entry)}\b", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)))
            throw new UsageException($"{file} does not define '{entry}'.");
        return (code, entry);
    }

    /// <summary>The text of a file; bytes that are none are refused, since another text would be registered in their place.</summary>
    private static string ReadUtf8(string file)
    {
        ReadOnlySpan<byte> bytes = File.ReadAllBytes(file);
        var mark = bytes.StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        var text = new char[bytes.Length];
        var status = Utf8.ToUtf16(bytes[mark..], text, out var read, out var written, replaceInvalidSequences: false);
        return status == OperationStatus.Done
            ? new string(text, 0, written)
            : throw new UsageException($"{file} is not UTF-8 text: the byte at offset {mark + read} is 0x{bytes[mark + read]:X2}. Save it as UTF-8.");
    }

    private static object Document(FunctionInfo function) =>
        new { function.FunctionId, function.Name, Kind = Kind(function), function.Entry, function.Description, function.RegisteredAt };

    private static string Kind(FunctionInfo function) => function.Kind.ToString().ToLowerInvariant();
}
