using System.IO.Compression;
using System.Text;
using FuncX.Definitions;
using FuncX.Tests.Fuzz;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Fuzz;

/// <summary>What users register and call with: a command's definition, arguments, a package. Refused by the exception that is declared, or usable.</summary>
public sealed class DefinitionFuzzTests : IDisposable
{
    private const long MostAllocated = 1L << 20;

    private static readonly string[] s_json = ["null", "true", "-1", "1e400", "\"\"", "\"\\ud800\"", "\"\\u0000\"", "\"{x}\"", "\"{x...}\"", "\"{{\"", "{", "}", "[", "]", ",", ":", "\"x\":", "\"../a\"", "\"/\"", "\"a/b\":\"\"", " ", "\xFF"];

    private static readonly Mutation s_commands = new(
        [
            """{"command": ["/usr/bin/printf", "%s", "{x}", "-{y}-{x}", "{{z}}"], "defaults": {"y": 3}, "walltime": 2.5, "check": true}"""u8.ToArray(),
            """{"command": ["cat", "{all...}"], "parameters": ["all", "name"], "environment": {"NAME": "{name}"}, "stdin": "{name}", "inputs": {"data/in.txt": "a {name}"}, "outputs": ["*.txt", "out/b"], "keep_output": true}"""u8.ToArray(),
            """{"command": "echo \"$x\" | wc", "shell": true, "parameters": ["x"], "defaults": {"x": "a"}}"""u8.ToArray(),
        ],
        s_json);

    private static readonly Mutation s_arguments = new(
        ["""[1, "two", true, 4.5, null]"""u8.ToArray(), """{"args": ["a", 2], "kwargs": {"name": "b"}}"""u8.ToArray(), """{"kwargs": {"x": "a", "all": [1, "b"]}}"""u8.ToArray(), "[]"u8.ToArray()],
        s_json);

    private static readonly DotnetEntry s_entry = DotnetEntry.Parse("Lab::Lab.Fits::Run");

    private static readonly Mutation s_packages = new(
        [
            Zip(("Lab.dll", "MZ..."), ("Lab.deps.json", "{}"), ("runtimes/linux-x64/native/libx.so", "elf")),
            Zip(("Lab.dll", new string('a', 300))),
            Zip(("Lab.dll", "x"), ("a", "1"), ("b/c", "2"), ("b/d/", "")),
        ],
        "/", "../", "a/", "PK\u0001\u0002", "PK\u0003\u0004", "PK\u0005\u0006", "Lab.dll", "\0");

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory();

    [Fact]
    public void A_definition_is_refused_in_words_or_makes_calls() => FuzzRun.Each("commands", 110_000, MostAllocated, s_commands.Next, static (bytes, random) =>
    {
        try
        {
            var definition = CommandDefinition.Read(bytes);
            var call = Call(definition, Arguments(definition, random));
            if (call is not null)
            {
                call.Command.ShouldNotBeEmpty();
                call.Command.ShouldAllBe(static argument => !argument.Contains('\0'));
                call.Inputs.ShouldAllBe(static input => !Path.GetFullPath(Path.Combine("/base", input.Key)).Equals("/base", StringComparison.Ordinal) && Path.GetFullPath(Path.Combine("/base", input.Key)).StartsWith("/base/", StringComparison.Ordinal));
            }

            return true;
        }
        catch (DefinitionException problem)
        {
            problem.Message.ShouldNotBeNullOrWhiteSpace();
            return false;
        }
    });

    [Fact]
    public void Arguments_are_refused_in_words_or_fill_a_command() => FuzzRun.Each("arguments", 110_000, MostAllocated, s_arguments.Next, static (bytes, _) =>
    {
        try
        {
            var arguments = CallArguments.Read(bytes);
            foreach (var definition in s_called)
                Call(definition, arguments);
            return true;
        }
        catch (ArgumentsException problem)
        {
            problem.Message.ShouldNotBeNullOrWhiteSpace();
            return false;
        }
    });

    [Fact]
    public void An_entry_has_three_names_or_is_refused() => FuzzRun.Each("entries", 20_000, MostAllocated, new Mutation(["Analysis::Lab.Fits::Run"u8.ToArray()], "::", ":", ".", "/", " ", "\0").Next, static (bytes, _) =>
    {
        try
        {
            var entry = DotnetEntry.Parse(Encoding.UTF8.GetString(bytes));
            Path.GetFileName(entry.Assembly).ShouldBe(entry.Assembly);
            return true;
        }
        catch (DefinitionException)
        {
            return false;
        }
    });

    [Fact]
    public void A_package_is_unpacked_below_its_directory_or_refused() => FuzzRun.Each("packages", 20_000, 2 * MostAllocated, s_packages.Next, (bytes, _) =>
    {
        var folder = Path.Combine(_directory.FullName, "package");
        try
        {
            PackageReader.Check(bytes, s_entry);
            PackageReader.Unpack(bytes, s_entry, folder);
            File.Exists(Path.Combine(folder, "Lab.dll")).ShouldBeTrue();
            return true;
        }
        catch (DefinitionException)
        {
            return false;
        }
        finally
        {
            _directory.EnumerateFileSystemInfos().Select(static entry => entry.Name).ShouldBeSubsetOf(["package"]);
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    });

    public void Dispose() => _directory.Delete(recursive: true);

    private static readonly CommandDefinition[] s_called =
    [
        CommandDefinition.Read("""{"command": ["a", "{x}", "-{y}"], "defaults": {"y": 1}}"""u8.ToArray()),
        CommandDefinition.Read("""{"command": ["a", "{all...}"]}"""u8.ToArray()),
        CommandDefinition.Read("""{"command": "echo $x", "shell": true, "parameters": ["x"]}"""u8.ToArray()),
    ];

    private static CommandCall? Call(CommandDefinition definition, CallArguments arguments)
    {
        try
        {
            return CommandCall.Create(definition, arguments);
        }
        catch (ArgumentsException problem)
        {
            problem.Message.ShouldNotBeNullOrWhiteSpace();
            return null;
        }
    }

    private static CallArguments Arguments(CommandDefinition definition, Random random)
    {
        string[] values = ["1", "\"a\"", "[1, \"b\"]", "true"];
        return CallArguments.Read(Encoding.UTF8.GetBytes($"[{string.Join(',', definition.Parameters.Select(_ => values[random.Next(values.Length)]))}]"));
    }

    private static byte[] Zip(params (string Name, string Text)[] files)
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, text) in files)
            {
                using var writer = new StreamWriter(archive.CreateEntry(name).Open());
                writer.Write(text);
            }
        }

        return bytes.ToArray();
    }
}
