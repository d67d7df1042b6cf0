using System.Text.Json;
using FuncX.Cli;
using FuncX.Cli.Commands;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using FuncX.Tests.Client.Fake;
using FuncX.Wire;
using Google.Protobuf;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

[Collection(nameof(CommandHarness))]
public sealed class CliTests : CommandHarness
{
    [Fact]
    public async Task Login_proves_the_token_and_stores_it_for_this_user_only()
    {
        var (code, output, error) = await RunAsync(FakeService.Token + "\n", "login", Service.Address.ToString());

        error.ShouldBeEmpty();
        code.ShouldBe(0);
        var path = Path.Combine(DirectoryPath, "credentials.json");
        var address = $"http://127.0.0.1:{Service.Port}";
        output.ShouldBe($"Logged in to {address}; the token is in {path}.\n");
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        CredentialsFile.Read(path).Current.ShouldBe(address);
        (await RunAsync("", "function", "list", "--json")).Code.ShouldBe(0);
    }

    [Fact]
    public async Task A_wrong_token_is_not_stored()
    {
        var (code, output, error) = await RunAsync("fxt_wrong\n", "login", Service.Address.ToString());

        code.ShouldBe(4);
        output.ShouldBeEmpty();
        error.ShouldContain("does not allow it: the token is unknown");
        File.Exists(Path.Combine(DirectoryPath, "credentials.json")).ShouldBeFalse();
    }

    [Theory]
    [InlineData("")]
    [InlineData("fxt_first\nfxt_second\n")]
    [InlineData("fxt_first fxt_second")]
    [InlineData("fxt_f\u00fcr")]
    public async Task A_file_that_holds_anything_but_one_token_is_a_usage_error(string text)
    {
        await File.WriteAllTextAsync(TokenFile, text);

        var (code, output, error) = await ServiceAsync("endpoint", "list");

        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.ShouldBe($"funcx: {TokenFile} does not hold a token; expected one line of text\n");
        (await ServiceAsync("login")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task A_line_that_is_no_token_is_not_sent_by_login()
    {
        var (code, _, error) = await RunAsync("fxt_first fxt_second\n", "login", Service.Address.ToString());

        code.ShouldBe(2);
        error.ShouldBe("funcx: Standard input does not hold a token; expected one line of text\n");
    }

    [Fact]
    public async Task Without_a_login_a_command_says_how_to_log_in()
    {
        var (code, _, error) = await RunAsync("", "endpoint", "list");

        code.ShouldBe(4);
        error.ShouldBe("funcx: You are not logged in. Run: funcx login ADDRESS (or pass --service and --token-file)\n");
    }

    [Fact]
    public async Task Register_prints_the_id_and_list_shows_it()
    {
        var file = Path.Combine(DirectoryPath, "work.py");
        await File.WriteAllTextAsync(file, "def fit(x):\n    return x\n");

        var (code, output, _) = await ServiceAsync("function", "register", $"{file}:fit");

        code.ShouldBe(0);
        var id = output.Trim();
        id.Length.ShouldBe(64);
        (await ServiceAsync("function", "list")).Output.ShouldContain($"fit    {id}   python   2023-11-14 22:13:20Z");
        (await ServiceAsync("function", "show", "fit")).Output.ShouldBe(
            $"function     {id}\nname         fit\nkind         python, calls fit\nregistered   2023-11-14 22:13:20Z\n\ndef fit(x):\n    return x\n");
        (await ServiceAsync("function", "delete", "fit")).Output.ShouldBe($"Deleted function fit ({id}).\n");
        (await ServiceAsync("function", "list", "--json")).Output.ShouldBe("[]\n");
    }

    [Theory]
    [InlineData("nowhere.py:fit", "nowhere.py does not exist")]
    [InlineData("work.py", "names no function; write FILE.py:NAME")]
    [InlineData("work.py:2x", "is not a Python name")]
    public async Task What_cannot_be_registered_is_a_usage_error(string source, string message)
    {
        var (code, _, error) = await ServiceAsync("function", "register", source);

        code.ShouldBe(2);
        error.ShouldContain(message);
    }

    [Fact]
    public async Task A_source_that_is_not_utf8_is_refused_with_the_place()
    {
        var file = Path.Combine(DirectoryPath, "work.py");
        await File.WriteAllBytesAsync(file, [.. "def fit(x):\n    return '"u8, 0xe9, .. "'\n"u8]);

        var (code, output, error) = await ServiceAsync("function", "register", $"{file}:fit");

        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.ShouldBe($"funcx: {file} is not UTF-8 text: the byte at offset 24 is 0xE9. Save it as UTF-8.\n");
        Service.State.Functions.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_byte_order_mark_is_no_part_of_a_source()
    {
        var file = Path.Combine(DirectoryPath, "work.py");
        await File.WriteAllBytesAsync(file, [0xef, 0xbb, 0xbf, .. "def fit(x):\n    return 'ü'\n"u8]);

        (await ServiceAsync("function", "register", $"{file}:fit")).Code.ShouldBe(0);

        Service.State.Functions.ShouldHaveSingleItem().Code.ToStringUtf8().ShouldBe("def fit(x):\n    return 'ü'\n");
    }

    [Fact]
    public async Task Endpoints_are_shown_as_a_table_and_as_json()
    {
        Service.State.AddEndpoint("lab");

        (await ServiceAsync("endpoint", "list")).Output.ShouldContain("lab    online   1        0/2");
        (await ServiceAsync("endpoint", "show", "lab")).Output.ShouldContain("0 busy of 2");
        using var document = JsonDocument.Parse((await ServiceAsync("endpoint", "list", "--json")).Output);
        var endpoint = document.RootElement.EnumerateArray().ShouldHaveSingleItem();
        endpoint.GetProperty("name").GetString().ShouldBe("lab");
        endpoint.GetProperty("status").GetProperty("workers").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task Run_reads_arguments_as_json_or_text_and_prints_the_value()
    {
        Service.State.AddFunction("all", arguments => (TaskOutcome.Value, arguments));
        Service.State.AddEndpoint("lab");

        (await ServiceAsync("run", "all", "lab", "5", "text", "[1,2]", "true")).Output.ShouldBe("""[5,"text",[1,2],true]""" + "\n");
        (await ServiceAsync("run", "all", "lab", "1", "--named", "k=v", "--named", "n=2")).Output.ShouldBe("""{"args":[1],"kwargs":{"k":"v","n":2}}""" + "\n");
        (await ServiceAsync("run", "all", "lab", "--", "-5", "@x")).Output.ShouldBe("""[-5,"@x"]""" + "\n");
        using var document = JsonDocument.Parse((await ServiceAsync("run", "all", "lab", "5", "--json")).Output);
        document.RootElement.GetProperty("value")[0].GetInt32().ShouldBe(5);
        document.RootElement.GetProperty("outcome").GetString().ShouldBe("value");
    }

    [Fact]
    public async Task A_string_value_is_printed_as_its_text_and_output_of_the_task_goes_to_standard_error()
    {
        Service.State.Output = "working\n";
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");

        var (code, output, error) = await ServiceAsync("run", "same", "lab", "Grüße");

        code.ShouldBe(0);
        output.ShouldBe("Grüße\n");
        error.ShouldBe("working\n");
    }

    [Fact]
    public async Task A_failed_task_is_exit_code_1_with_the_remote_traceback()
    {
        Service.State.AddFunction("fails", _ => (TaskOutcome.Exception, """{"type": "KeyError", "message": "'x'", "traceback": "Traceback (most recent call last):\n  line 3"}"""));
        Service.State.AddEndpoint("lab");

        var (code, output, error) = await ServiceAsync("run", "fails", "lab");

        code.ShouldBe(1);
        output.ShouldBeEmpty();
        error.ShouldContain("raised KeyError: 'x'\nTraceback (most recent call last):\n  line 3\n");
        error.ShouldNotContain("   at FuncX");
    }

    [Fact]
    public async Task Map_reads_lines_and_prints_lines_in_order()
    {
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");
        Service.State.Backwards = true;

        var (code, output, _) = await ServiceInputAsync("1\n[2, 3]\n\"four\"\n\n{\"args\": [5]}\n{\"a\": 6}\n", "map", "same", "lab", "--group", "g1");

        code.ShouldBe(0);
        output.ShouldBe("1\n2\n\"four\"\n{\"args\": [5]}\n{\"a\": 6}\n");
        Service.State.Submissions.ShouldAllBe(request => request.Group == "g1");
    }

    [Theory]
    [InlineData("map", "same", "lab", "--group", "g1")]
    [InlineData("map", "same", "lab", "--group", "g1", "--json")]
    public async Task Map_says_its_group_before_anything_else(params string[] arguments)
    {
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");

        (await ServiceInputAsync("1\n", arguments)).Error.ShouldBe("group g1\n");
    }

    [Fact]
    public async Task Bars_on_a_terminal_leave_the_output_as_it_is()
    {
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");
        var file = Path.Combine(DirectoryPath, "in.jsonl");
        await File.WriteAllTextAsync(file, "1\n2\n3\n");
        await SubmitOneAsync("g2");

        var (code, output, _) = await RunAsync("", ToService("map", "same", "lab", file), isInteractive: true);

        code.ShouldBe(0);
        output.ShouldBe("1\n2\n3\n");
        (await RunAsync("1\n2\n", ToService("map", "same", "lab"), isInteractive: true)).Output.ShouldBe("1\n2\n");
        (await RunAsync("", ToService("group", "wait", "g2"), isInteractive: true)).Code.ShouldBe(0);
        (await RunAsync("1\n", ToService("map", "same", "lab", "--group", "g3", "--json"), isInteractive: true)).Error.ShouldBe("group g3\n");
    }

    [Fact]
    public async Task Map_goes_on_after_a_failed_call_and_says_so()
    {
        Service.State.AddFunction("odd", arguments => FakeState.Value(arguments) == "2"
            ? (TaskOutcome.Exception, """{"type": "ValueError", "message": "even"}""")
            : (TaskOutcome.Value, FakeState.Value(arguments)));
        Service.State.AddEndpoint("lab");
        var file = Path.Combine(DirectoryPath, "in.jsonl");
        await File.WriteAllTextAsync(file, "1\n2\n3");

        var (code, output, error) = await ServiceAsync("map", "odd", "lab", file);

        code.ShouldBe(1);
        var lines = output.TrimEnd().Split('\n');
        lines[0].ShouldBe("1");
        lines[1].ShouldContain("\"type\":\"ValueError\"");
        lines[2].ShouldBe("3");
        error.ShouldContain("1 of 3 calls failed");
        (await ServiceAsync("map", "odd", "lab", file, "--json")).Output.Split('\n')[2].ShouldStartWith("{\"index\":2,\"task\":");
    }

    [Fact]
    public async Task A_line_that_is_not_json_is_named()
    {
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");

        var (code, _, error) = await ServiceInputAsync("1\n[2\n", "map", "same", "lab");

        code.ShouldBe(2);
        error.ShouldContain("Line 2 of standard input is not JSON");
    }

    [Fact]
    public async Task Calls_before_a_line_that_is_not_json_are_printed_and_those_after_it_are_not_made()
    {
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");

        var (code, output, error) = await ServiceInputAsync("1\n2\n3\n[4\n5\n", "map", "same", "lab");

        code.ShouldBe(2);
        output.ShouldBe("1\n2\n3\n");
        error.ShouldContain("funcx: Line 4 of standard input is not JSON");
        error.ShouldContain("Neither it nor any line after it was called.");
        Service.State.Cancelled.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failed_call_before_a_line_that_is_not_json_is_said_too()
    {
        Service.State.AddFunction("fails", _ => (TaskOutcome.Exception, """{"type": "ValueError", "message": "even"}"""));
        Service.State.AddEndpoint("lab");

        var (code, output, error) = await ServiceInputAsync("1\n[2\n", "map", "fails", "lab");

        code.ShouldBe(2);
        output.ShouldContain("\"type\":\"ValueError\"");
        error.ShouldContain("1 of 1 calls failed");
        error.ShouldContain("Line 2 of standard input is not JSON");
    }

    [Fact]
    public async Task Task_show_says_where_the_time_went_and_keeps_negative_differences()
    {
        var task = await SubmitOneAsync();

        var (code, output, _) = await ServiceAsync("task", "show", task);

        code.ShouldBe(0);
        output.ShouldContain("Where the time went");
        output.ShouldContain("submission committed     250 us   service");
        output.ShouldContain("service to endpoint      -30 us   service, endpoint");
        output.ShouldContain("runs                    2.500 s   node");
        output.ShouldContain("done: value");
        using var document = JsonDocument.Parse((await ServiceAsync("task", "show", task, "--json")).Output);
        document.RootElement.GetProperty("times").GetProperty("service_committed").GetInt64().ShouldBe(1_000_400);
    }

    [Fact]
    public async Task Task_result_and_cancel_take_ids()
    {
        var task = await SubmitOneAsync();

        (await ServiceAsync("task", "result", task)).Output.ShouldBe("7\n");
        (await ServiceAsync("task", "cancel", task)).Output.ShouldBe("Cancelled 1 of 1; the others had ended.\n");
        Service.State.Cancelled.ShouldBe([task]);
        (await ServiceAsync("task", "result", "0193f1c2a4b77c1e90ab12cd-0")).Code.ShouldBe(5);
        (await ServiceAsync("task", "result", "x")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task A_task_whose_result_has_expired_is_told_as_such()
    {
        var task = await SubmitOneAsync();
        var known = Service.State.Find(task)!;
        (known.Outcome, known.Value, known.Times) = (Outcome.Unspecified, ByteString.Empty, new HopTimes());

        (await ServiceAsync("task", "show", task)).Output.ShouldContain("done; its result has expired");
        var (code, output, error) = await ServiceAsync("task", "result", task);

        code.ShouldBe(5);
        output.ShouldBeEmpty();
        error.ShouldBe($"funcx: Task {task} has ended, and its result has expired: the service keeps results for a limited time.\n");
        using var document = JsonDocument.Parse((await ServiceAsync("task", "show", task, "--json")).Output);
        document.RootElement.GetProperty("state").GetString().ShouldBe("done");
        document.RootElement.GetProperty("outcome").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Fact]
    public async Task A_task_that_has_not_ended_is_no_result()
    {
        Service.State.Holding = true;
        var task = await SubmitOneAsync(wait: false);

        var (code, output, error) = await ServiceAsync("task", "result", task);

        code.ShouldBe(1);
        output.ShouldBeEmpty();
        error.ShouldContain("has not ended yet (queued)");
    }

    [Fact]
    public async Task Groups_are_shown_waited_for_and_read_again()
    {
        await SubmitOneAsync("g2");

        (await ServiceAsync("group", "show", "g2", "--json")).Output.ShouldBe("""{"group":"g2","tasks":1,"queued":0,"waiting":0,"dispatched":0,"done":1,"failed":0,"labels":{},"last_active":1700000000000000}""" + "\n");
        (await ServiceAsync("group", "wait", "g2")).Code.ShouldBe(0);
        (await ServiceAsync("group", "results", "g2")).Output.ShouldContain("\"value\":7,\"cursor\":7}");
        (await ServiceAsync("group", "results", "g2", "--cursor", "7")).Output.ShouldBeEmpty();
        (await ServiceAsync("group", "show", "unknown")).Code.ShouldBe(5);
    }

    [Fact]
    public async Task A_service_that_is_not_there_is_exit_code_3()
    {
        var (code, _, error) = await RunAsync("", "endpoint", "list", "--service", "http://127.0.0.1:1", "--token-file", TokenFile);

        code.ShouldBe(3);
        error.ShouldBe("funcx: Listing endpoints: the service at http://127.0.0.1:1 cannot be reached: Connection refused\n");
    }

    [Fact]
    public async Task A_token_does_not_go_to_another_machine_in_clear()
    {
        var (code, _, error) = await RunAsync("", "endpoint", "list", "--service", "http://funcx.example.org", "--token-file", TokenFile);

        code.ShouldBe(2);
        error.ShouldContain("use https://funcx.example.org");
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("run", "only-a-function")]
    [InlineData("quickstart", "--calls", "0")]
    [InlineData("map", "f", "e", "--walltime", "soon")]
    [InlineData("run", "f", "e", "--priority", "256")]
    public async Task A_wrong_command_line_is_exit_code_2(params string[] arguments)
    {
        var (code, output, error) = await RunAsync("", arguments);

        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.ShouldStartWith("funcx: ");
    }

    [Theory]
    [InlineData("--window takes a whole number from 1 to 2,147,483,647, not '0'.", "map", "f", "e", "--window", "0")]
    [InlineData("--window takes a whole number from 1 to 2,147,483,647, not 'many'.", "map", "f", "e", "--window", "many")]
    [InlineData("--priority takes a whole number from 0 to 255, not '256'.", "run", "f", "e", "--priority", "256")]
    [InlineData("--max-attempts takes a whole number from 0 to 1,000, not '-1'.", "map", "f", "e", "--max-attempts", "-1")]
    [InlineData("--max-attempts takes a whole number from 0 to 1,000, not '1.5'.", "run", "f", "e", "--max-attempts", "1.5")]
    [InlineData("--walltime takes 1ms to 1193h, not '2000h'.", "run", "f", "e", "--walltime", "2000h")]
    [InlineData("--walltime takes 1ms to 1193h, not '9999999999999999999h'.", "map", "f", "e", "--walltime", "9999999999999999999h")]
    [InlineData("--group takes 1 to 64 characters, not 0.", "map", "f", "e", "--group", "")]
    [InlineData("--limit takes a whole number from 1 to 1,000, not '0'.", "function", "list", "--limit", "0")]
    [InlineData("--cursor takes a whole number from 0 to 18,446,744,073,709,551,615, not '-1'.", "group", "results", "g", "--cursor", "-1")]
    [InlineData("--calls takes a whole number from 1 to 10,000,000, not '0'.", "quickstart", "--calls", "0")]
    [InlineData("--workers takes a whole number from 1 to 256, not '257'.", "quickstart", "--workers", "257")]
    public async Task A_value_out_of_range_is_a_usage_error_that_says_the_range(string message, params string[] arguments)
    {
        var (code, output, error) = await ServiceAsync(arguments);

        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.ShouldStartWith($"funcx: {message}\n");
    }

    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("30s", 30)]
    [InlineData("1.5m", 90)]
    [InlineData("2h", 7200)]
    [InlineData("00:45:10", 2710)]
    public void Walltimes_have_units(string text, double seconds) => CallOptions.ParseTime(text).TotalSeconds.ShouldBe(seconds);
}
