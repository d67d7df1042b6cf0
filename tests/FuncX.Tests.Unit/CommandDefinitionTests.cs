using System.Diagnostics;
using System.Text;
using System.Text.Json;
using FsCheck.Xunit;
using FuncX.Definitions;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class CommandDefinitionTests
{
    [Theory]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("{", "must be a JSON object")]
    [InlineData("{}", "'command' is missing")]
    [InlineData("""{"command": "ls"}""", "needs 'shell': true")]
    [InlineData("""{"command": [1]}""", "command[0] must be a text")]
    [InlineData("""{"command": [""]}""", "must name a program")]
    [InlineData("""{"command": ["{all...}"]}""", "must name a program")]
    [InlineData("""{"command": ["a", "{"]}""", "begins no {parameter}")]
    [InlineData("""{"command": ["a", "x}"]}""", "ends nothing")]
    [InlineData("""{"command": ["a", "{B}"]}""", "begins no {parameter}")]
    [InlineData("""{"command": ["a", "{x}"], "parameters": ["y"]}""", "{x} is used and is not among the parameters")]
    [InlineData("""{"command": ["a"], "parameters": ["y", "y"]}""", "twice")]
    [InlineData("""{"command": "echo", "shell": true, "parameters": ["PATH"]}""", "'PATH' is no name")]
    [InlineData("""{"command": ["echo"], "shell": true}""", "must be one text")]
    [InlineData("""{"command": " ", "shell": true}""", "is empty")]
    [InlineData("""{"command": ["a"], "shell": 1}""", "shell must be true or false")]
    [InlineData("""{"command": ["a"], "environment": {"1A": "x"}}""", "'1A' is no name of a variable")]
    [InlineData("""{"command": ["a"], "environment": {"FUNCX_X": "x"}}""", "belongs to FuncX")]
    [InlineData("""{"command": ["a"], "environment": {"A": "{x...}"}}""", "can stand in 'command' only")]
    [InlineData("""{"command": ["a"], "inputs": {"../a": "x"}}""", "below the working directory")]
    [InlineData("""{"command": ["a"], "inputs": {"/etc/a": "x"}}""", "below the working directory")]
    [InlineData("""{"command": ["a"], "outputs": ["a/../../b"]}""", "below the working directory")]
    [InlineData("""{"command": ["a"], "walltime": 0}""", "walltime must be a number of seconds above 0")]
    [InlineData("""{"command": ["a"], "walltime": "3"}""", "walltime must be a number of seconds above 0")]
    [InlineData("""{"command": ["a"], "defaults": {"x": 1}}""", "'x' is not among the parameters")]
    [InlineData("""{"command": ["a"], "command": ["b"]}""", "must be a JSON object")]
    [InlineData("""{"command": ["a"], "walltme": 1}""", "'walltme' is no key")]
    [InlineData("""{"command": ["a", "\ud800"]}""", "is no Unicode")]
    [InlineData("""{"command": ["a"], "environment": {"\ud800": "x"}}""", "is no Unicode")]
    [InlineData("""{"command": ["a"], "\ud800": 1}""", "is no Unicode")]
    public void A_definition_that_is_wrong_is_refused_with_the_reason(string json, string reason) =>
        Should.Throw<DefinitionException>(() => Read(json)).Message.ShouldContain(reason);

    [Fact]
    public void Bytes_that_are_no_UTF_8_are_refused_with_the_reason()
    {
        byte[] text = [.. """{"command": ["a", "{x} """u8, 0xE1, .. "\"]}"u8];
        Should.Throw<DefinitionException>(() => CommandDefinition.Read(text)).Message.ShouldContain("is no Unicode");
        byte[] argument = [.. "[\""u8, 0xE1, .. "\"]"u8];
        Should.Throw<ArgumentsException>(() => CommandCall.Create(CommandDefinition.Read("""{"command": ["a", "{x}"]}"""u8.ToArray()), CallArguments.Read(argument))).Message.ShouldContain("is no Unicode");
        Should.Throw<ArgumentsException>(() => CommandCall.Create(CommandDefinition.Read("""{"command": ["a", "{x...}"]}"""u8.ToArray()), CallArguments.Read(argument))).Message.ShouldContain("'x' is a text");
    }

    [Theory]
    [InlineData("""["a", 2]""", "there are 2 arguments; the function takes x")]
    [InlineData("""[]""", "the argument 'x' is missing")]
    [InlineData("""{"kwargs": {"y": 1}}""", "there is no parameter 'y'")]
    [InlineData("""{"args": [1], "kwargs": {"x": 1}}""", "given twice")]
    [InlineData("""[null]""", "'x' is null")]
    [InlineData("""[[1]]""", "'x' is a list")]
    [InlineData("""[{}]""", "'x' is an object")]
    [InlineData("\"a\"", "must be a list")]
    [InlineData("""{"args": [1], "more": 2}""", "nothing else")]
    [InlineData("""["a\u0000b"]""", "zero character")]
    [InlineData("nonsense", "are not JSON")]
    [InlineData("""["\ud800"]""", "'x' is no Unicode text")]
    [InlineData("""{"kwargs": {"\ud800": 1}}""", "a name among the arguments is no Unicode text")]
    public void Arguments_that_do_not_fit_are_refused_with_the_reason(string arguments, string reason) =>
        Should.Throw<ArgumentsException>(() => Call("""{"command": ["echo", "{x}"]}""", arguments)).Message.ShouldContain(reason);

    [Theory]
    [InlineData("""{"command": ["p", "{a}", "-{b}-{a}", "{{x}}"]}""", "[1, true]", new[] { "p", "1", "-true-1", "{x}" })]
    [InlineData("""{"command": ["p", "{b}{a}"], "parameters": ["a", "b"]}""", "[1, 2]", new[] { "p", "21" })]
    [InlineData("""{"command": ["p", "{a}"], "defaults": {"a": "d"}}""", "[]", new[] { "p", "d" })]
    [InlineData("""{"command": ["p", "{all...}", "end"]}""", """[["-x", 2, "a b"]]""", new[] { "p", "-x", "2", "a b", "end" })]
    [InlineData("""{"command": ["p", "{all...}"]}""", "[[]]", new[] { "p" })]
    [InlineData("""{"command": ["p", "{a}"]}""", """{"kwargs": {"a": 1e3}}""", new[] { "p", "1e3" })]
    public void A_template_is_filled_argument_by_argument(string definition, string arguments, string[] expected) =>
        Call(definition, arguments).Command.ShouldBe(expected);

    /// <summary>Whatever an argument holds, it is that one argument of the program and nothing else.</summary>
    [Property(MaxTest = 2_000)]
    public bool An_argument_fills_its_place_and_does_nothing_else(string? text)
    {
        var value = (text ?? "").Replace("\0", "", StringComparison.Ordinal);
        // What is no Unicode text cannot be JSON.
        value = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(value));
        var call = Call("""{"command": ["p", "{x}", "a{x}b"], "environment": {"V": "{x}"}, "stdin": "{x}"}""", JsonSerializer.Serialize(new[] { value }));
        return call.Command.SequenceEqual(["p", value, $"a{value}b"]) && call.Environment.Single().Value == value && Encoding.UTF8.GetString(call.Stdin!) == value;
    }

    [Theory]
    [InlineData("$(touch owned)")]
    [InlineData("`touch owned`; touch owned & touch owned | touch owned")]
    [InlineData("'; touch owned; '")]
    [InlineData("\"; touch owned; \"")]
    [InlineData("\n touch owned \n")]
    [InlineData("$x ${PATH} *")]
    [InlineData("-n")]
    [InlineData("")]
    public void The_shell_sees_arguments_as_values_of_its_variables(string value)
    {
        var call = Call("""{"command": "printf '%s|%s' \"$second\" \"$first\"", "shell": true, "parameters": ["first", "second"]}""", JsonSerializer.Serialize(new[] { value, "2" }));
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            using var process = Process.Start(new ProcessStartInfo(call.Command[0], call.Command.Skip(1)) { RedirectStandardOutput = true, UseShellExecute = false, WorkingDirectory = folder.FullName })!;
            process.StandardOutput.ReadToEnd().ShouldBe($"2|{value}");
            process.WaitForExit();
            folder.EnumerateFileSystemInfos().ShouldBeEmpty("nothing of the value was run");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static CommandDefinition Read(string json) => CommandDefinition.Read(Encoding.UTF8.GetBytes(json));

    private static CommandCall Call(string definition, string arguments) =>
        CommandCall.Create(Read(definition), CallArguments.Read(Encoding.UTF8.GetBytes(arguments)));
}
