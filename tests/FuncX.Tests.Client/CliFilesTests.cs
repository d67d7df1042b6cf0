using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Tests.Client.Fake;
using FuncX.Wire;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary><c>funcx map</c> over files: what each call gets, whose result is whose, and what is refused before anything is submitted.</summary>
[Collection(nameof(CommandHarness))]
public sealed class CliFilesTests : CommandHarness
{
    private string Data => Path.Combine(DirectoryPath, "data");

    [Fact]
    public async Task A_call_gets_the_absolute_path_of_its_file_in_order()
    {
        Prepare(("b.csv", "2"), ("a.csv", "1"), ("x/c.csv", "3"), ("d.txt", "4"));

        var (code, output, error) = await ServiceAsync("map", "same", "lab", "--files", $"{Data}/**/*.csv", "--files", $"{Data}/*", "--group", "g");

        (code, error).ShouldBe((0, "group g\n"));
        output.ShouldBe(string.Concat(new[] { "a.csv", "b.csv", "x/c.csv", "d.txt" }.Select(name => $"{Data}/{name}\t\"{Data}/{name}\"\n")));
        Service.State.Submissions.ShouldAllBe(static request => request.ContentType == (uint)ContentType.Json);
    }

    [Fact]
    public async Task A_relative_name_is_shown_as_it_is_and_passed_whole()
    {
        Prepare(("a.csv", "1"));
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, Data);

        var (_, output, _) = await ServiceAsync("map", "same", "lab", "--files", $"{relative}/*.csv", "--json");

        using var document = JsonDocument.Parse(output);
        (document.RootElement.GetProperty("file").GetString(), document.RootElement.GetProperty("value").GetString()).ShouldBe(($"{relative}/a.csv", $"{Data}/a.csv"));
    }

    [Theory]
    [InlineData("a.csv\nb c.csv\r\n\n/far/away.csv", false)]
    [InlineData("a.csv\0b c.csv\0/far/away.csv\0", false)]
    [InlineData("a.csv\nb c.csv\n/far/away.csv\n", true)]
    public async Task A_list_names_files_that_need_not_be_here(string list, bool fromInput)
    {
        Prepare();
        var file = Path.Combine(DirectoryPath, "list");
        await File.WriteAllTextAsync(file, list);

        var (code, output, _) = await ServiceInputAsync(fromInput ? list : "", "map", "same", "lab", "--files-from", fromInput ? "-" : file);

        code.ShouldBe(0);
        output.ShouldBe($"a.csv\t\"{Path.GetFullPath("a.csv")}\"\nb c.csv\t\"{Path.GetFullPath("b c.csv")}\"\n/far/away.csv\t\"/far/away.csv\"\n");
    }

    [Theory]
    [InlineData(FunctionKind.Python, false, ContentType.Json)]
    [InlineData(FunctionKind.Dotnet, false, ContentType.Json)]
    [InlineData(FunctionKind.Python, true, ContentType.Octets)]
    [InlineData(FunctionKind.Command, false, ContentType.Octets)]
    [InlineData(FunctionKind.Command, true, ContentType.Octets)]
    public async Task A_call_gets_what_is_in_its_file(FunctionKind kind, bool binary, ContentType type)
    {
        const string Text = "\u00e9 \"1\"\n\t<2>";
        Service.State.AddFunction("same", static _ => (TaskOutcome.Value, "1")).Kind = kind;
        Prepare(("a", Text), ("b", ""));

        var (code, _, error) = await ServiceAsync(["map", "same", "lab", "--files", $"{Data}/*", "--contents", .. binary ? ["--binary"] : Array.Empty<string>()]);

        code.ShouldBe(0, error);
        var bodies = Service.State.Submissions.SelectMany(Bodies).ToList();
        Service.State.Submissions.ShouldAllBe(request => request.ContentType == (uint)type);
        bodies.Select(Encoding.UTF8.GetString).ShouldBe(type == ContentType.Octets ? [Text, ""] : ["[\"\u00e9 \\\"1\\\"\\n\\t<2>\"]", "[\"\"]"]);
    }

    [Fact]
    public async Task Values_go_to_a_file_each_and_failed_calls_do_not()
    {
        Service.State.AddFunction("odd", static arguments => arguments.Contains("b.csv", StringComparison.Ordinal)
            ? (TaskOutcome.Exception, """{"type": "ValueError", "message": "even"}""")
            : (TaskOutcome.Value, """{"n":1}"""));
        Prepare(("a.csv", ""), ("b.csv", ""), ("x/c.csv", ""));
        var target = Path.Combine(DirectoryPath, "new", "out");

        var (code, output, error) = await ServiceAsync("map", "odd", "lab", "--files", $"{Data}/**/*.csv", "--output-dir", target);

        code.ShouldBe(1);
        error.ShouldContain("1 of 3 calls failed");
        Directory.EnumerateFiles(target).Order().ShouldBe([$"{target}/a.csv.json", $"{target}/c.csv.json"]);
        (await File.ReadAllTextAsync($"{target}/c.csv.json")).ShouldBe("{\"n\":1}\n");
        var lines = output.TrimEnd('\n').Split('\n');
        (lines[0], lines[2]).ShouldBe(($"{Data}/a.csv\t{target}/a.csv.json", $"{Data}/x/c.csv\t{target}/c.csv.json"));
        lines[1].ShouldStartWith($"{Data}/b.csv\t{{\"error\":");
    }

    [Theory]
    [InlineData("--files 'DATA/*.none' names no file.", "--files", "DATA/*.none")]
    [InlineData("--files 'DATA/none.csv' names no file.", "--files", "DATA/*", "--files", "DATA/none.csv")]
    [InlineData("--files-from: standard input names no file.", "--files-from", "-")]
    [InlineData("--files-from: DATA/none does not exist.", "--files-from", "DATA/none")]
    [InlineData("--files and --files-from exclude each other.", "--files", "DATA/*", "--files-from", "-")]
    [InlineData("--contents and --output-dir want --files or --files-from.", "--contents")]
    [InlineData("--contents and --output-dir want --files or --files-from.", "--output-dir", "DATA")]
    [InlineData("--binary wants --contents: without it a call gets the file's path.", "--files", "DATA/*", "--binary")]
    [InlineData("DATA/none.csv does not exist.", "--files-from", "LIST", "--contents")]
    [InlineData("'DATA/b.csv' is one argument too many beside --files: a pattern is to be quoted, as --files 'data/*.csv', or the shell makes several words of it.", "--files", "DATA/a.csv", "DATA/b.csv")]
    [InlineData("--output-dir: DATA/a.csv and DATA/x/a.csv would both be written to DATA/out/a.csv.json; nothing was submitted.", "--files", "DATA/**/a.csv", "--output-dir", "DATA/out")]
    [InlineData("--output-dir: DATA/there/a.csv.json is there already; nothing was submitted.", "--files", "DATA/a.csv", "--output-dir", "DATA/there")]
    [InlineData("--output-dir: DATA/a.csv is a file.", "--files", "DATA/a.csv", "--output-dir", "DATA/a.csv")]
    [InlineData("function net is a dotnet function and takes JSON only; --binary is for Python and command functions.", "--files", "DATA/a.csv", "--contents", "--binary")]
    public async Task What_is_wrong_is_said_before_anything_is_submitted(string message, params string[] arguments)
    {
        Service.State.AddFunction("net").Kind = FunctionKind.Dotnet;
        Prepare(("a.csv", "1"), ("b.csv", "2"), ("x/a.csv", "3"), ("there/a.csv.json", "old"));
        var list = Path.Combine(DirectoryPath, "list");
        await File.WriteAllTextAsync(list, $"{Data}/a.csv\n{Data}/none.csv\n");

        var (code, output, error) = await ServiceAsync([
            "map", "net", "lab", .. arguments.Select(argument => argument.Replace("DATA", Data, StringComparison.Ordinal).Replace("LIST", list, StringComparison.Ordinal))]);

        (code, output, error).ShouldBe((2, "", $"funcx: {message.Replace("DATA", Data, StringComparison.Ordinal)}\n"));
        Service.State.Submissions.ShouldBeEmpty();
        Directory.Exists($"{Data}/out").ShouldBeFalse();
    }

    [Fact]
    public async Task A_file_that_is_no_text_ends_the_map_behind_those_before_it()
    {
        Prepare(("a", "1"), ("c", "3"));
        await File.WriteAllBytesAsync($"{Data}/b", [0x61, 0xff]);

        var (code, output, error) = await ServiceAsync("map", "same", "lab", "--files", $"{Data}/*", "--contents");

        (code, output).ShouldBe((2, $"{Data}/a\t\"1\"\n"));
        error.ShouldEndWith($"funcx: {Data}/b is not UTF-8 text; --binary sends the bytes as they are. Neither it nor any file after it was called.\n");
    }

    [Fact]
    public async Task A_file_above_what_any_service_takes_is_not_read()
    {
        Prepare(("a", "1"));
        using (var large = File.OpenHandle($"{Data}/b", FileMode.Create, FileAccess.Write))
            RandomAccess.SetLength(large, (48 << 20) + 1);

        var (code, _, error) = await ServiceAsync("map", "same", "lab", "--files", $"{Data}/*", "--contents");

        code.ShouldBe(2);
        error.ShouldContain($"funcx: {Data}/b has 50331649 bytes, and no service takes more than 50331648 as an argument (payload_bytes); pass its path instead");
    }

    [Fact]
    public async Task A_file_above_the_services_limit_is_named_with_the_limit_at_once()
    {
        Prepare(("a", "small"), ("b", new string('x', 3_000)), ("c", "small"));
        // As the service says it.
        Service.State.Refusal = static request => request.Lengths.Any(static length => length > 1_000)
            ? new Status(StatusCode.ResourceExhausted, "call 1 of batch 0193f1c2a4b77c1e90ab12cd has 3004 bytes of arguments; the limit payload_bytes is 1000. Put large data in a file that the endpoint can read.")
            : Status.DefaultSuccess;

        var (code, _, error) = await ServiceAsync("map", "same", "lab", "--files", $"{Data}/*", "--contents").WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        code.ShouldBe(1);
        error.ShouldContain($"funcx: {Data}/b of 3000 bytes is too large for an argument: ");
        error.ShouldContain("the limit payload_bytes is 1000");
    }

    [Fact]
    public async Task Ten_thousand_files_are_read_when_they_are_called_and_their_values_do_not_stay()
    {
        // 400 MB in all, by one file that has many names.
        Service.State.AddFunction("length", static arguments => (TaskOutcome.Value, arguments.Length.ToString(CultureInfo.InvariantCulture)));
        Service.State.Forgetting = true;
        Prepare(("a", new string('x', 40_000)));
        var list = Path.Combine(DirectoryPath, "list");
        await File.WriteAllTextAsync(list, string.Concat(Enumerable.Repeat($"{Data}/a\n", 10_000)));
        var (most, submissions) = (0L, 0);
        Service.State.SubmissionArrives = (_, _) =>
        {
            // What nobody holds any more is no matter of the command: other tests leave it too.
            if (Interlocked.Increment(ref submissions) % 10 == 0)
                InterlockedMax(ref most, GC.GetTotalMemory(forceFullCollection: true));
            return Task.CompletedTask;
        };
        var before = GC.GetTotalMemory(forceFullCollection: true);

        var (code, output, _) = await ServiceAsync("map", "length", "lab", "--files-from", list, "--contents", "--window", "200");

        code.ShouldBe(0);
        output.Split('\n').Count(line => line == $"{Data}/a\t40004").ShouldBe(10_000);
        most.ShouldBeGreaterThan(0);
        (most - before).ShouldBeLessThan(200L << 20);
    }

    private static void InterlockedMax(ref long most, long value)
    {
        for (var seen = Volatile.Read(ref most); value > seen;)
            seen = Interlocked.CompareExchange(ref most, value, seen);
    }

    private void Prepare(params (string Name, string Text)[] files)
    {
        if (Service.State.Functions.Count == 0)
            Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");
        foreach (var (name, text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Data, name))!);
            File.WriteAllText(Path.Combine(Data, name), text);
        }
    }

    private static IEnumerable<byte[]> Bodies(SubmitRequest request)
    {
        var at = 0;
        foreach (var length in request.Lengths)
        {
            yield return request.Bodies.Span.Slice(at, (int)length).ToArray();
            at += (int)length;
        }
    }
}
