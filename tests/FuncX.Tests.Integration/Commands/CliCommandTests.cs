using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>Commands of <c>funcx</c> as processes that speak to the real service: what they print, with <c>--json</c> and without, and what they end with. sdk/README.md lists both.</summary>
[Collection(SharedClusterCollection.Name)]
[Trait(Beside.Name, Beside.Suites)]
public sealed class CliCommandTests(SharedCluster shared)
{
    private const string NoTask = "0193f1c2a4b77c1e90ab12cd-17";

    [Fact]
    public async Task Functions_are_listed_shown_and_deleted()
    {
        // A user of its own: what the list must hold is known.
        var user = $"u{Guid.NewGuid():N}"[..12];
        var tokenFile = Path.Combine(shared.Cluster.DirectoryPath, $"{user}.token");
        var token = await shared.Cluster.Service.CreateTokenAsync(user);
        await File.WriteAllTextAsync(tokenFile, token);
        using var api = new ServiceApi(shared.Cluster.Service.Address, token);
        (await FunctionAsync(0, "list", "--json")).ShouldBe(["[]"]);
        var square = await api.RegisterAsync(Python.Square, "square");
        var nap = await api.RegisterAsync(Python.Nap, "nap");

        var table = await FunctionAsync(0, "list");
        table.Single(line => line.Contains(square, StringComparison.Ordinal)).ShouldContain(" square ");
        table.Single(line => line.Contains(nap, StringComparison.Ordinal)).ShouldContain(" nap ");
        table.First(static line => line.Trim().Length > 0).Split(' ', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["name", "function", "id", "kind", "registered", "description"]);
        var list = Parse(await FunctionAsync(0, "list", "--json"));
        list.EnumerateArray().Select(static function => function.GetProperty("function_id").GetString()).ShouldBe([nap, square]);
        list[1].EnumerateObject().Select(static property => property.Name).ShouldBe(["function_id", "name", "kind", "entry", "description", "registered_at", "requires", "container_id"]);
        Parse(await FunctionAsync(0, "list", "--limit", "1", "--json")).EnumerateArray().Single().GetProperty("name").GetString().ShouldBe("nap");
        await FunctionAsync(2, "list", "--limit", "0");

        foreach (var named in (string[])["square", square, square[..8]])
        {
            var shown = await FunctionAsync(0, "show", named);
            shown[0].ShouldBe($"function     {square}");
            shown.ShouldContain("kind         python, calls square");
            string.Join('\n', shown).ShouldEndWith(Python.Square.TrimEnd());
        }

        var function = Parse(await FunctionAsync(0, "show", "square", "--json"));
        (function.GetProperty("function_id").GetString(), function.GetProperty("entry").GetString(), function.GetProperty("code").GetString()).ShouldBe((square, "square", Python.Square));
        foreach (var wrong in (string[])["cube", new string('0', 64), "01234567"])
        {
            (await FunctionAsync(5, "show", wrong)).ShouldBeEmpty();
            (await FunctionAsync(5, "delete", wrong, "--json")).ShouldBeEmpty();
        }

        (await FunctionAsync(0, "delete", "square")).ShouldBe([$"Deleted function square ({square})."]);
        await FunctionAsync(5, "show", "square");
        await FunctionAsync(5, "delete", square);
        Parse(await FunctionAsync(0, "delete", nap, "--json")).GetProperty("deleted").GetString().ShouldBe(nap);
        (await FunctionAsync(0, "list", "--json")).ShouldBe(["[]"]);
        // Another user's function is nobody's.
        await FunctionAsync(5, "show", await shared.FunctionAsync(Python.Square));

        Task<IReadOnlyList<string>> FunctionAsync(int exitCode, params string[] arguments) =>
            CliProcess.RunAsync(shared.Cluster, exitCode, ["function", .. arguments, "--token-file", tokenFile]);
    }

    [Fact]
    public async Task Functions_of_every_kind_are_registered_from_files_and_options()
    {
        var folder = shared.Cluster.DirectoryPath;
        var file = Path.Combine(folder, "count.json");
        await File.WriteAllTextAsync(file, """{"command": ["wc", "-c"], "stdin": "{text}"}""");
        Function(await RunAsync(0, "function", "register", file, "--json")).ShouldBe(("count", "command", ""));
        (await RunAsync(0, "run", "count", "test", "\"abc\"")).Single().ShouldContain("\"stdout\":\"3\\n\"");

        Function(await RunAsync(0, "function", "register-command", "greet", "--walltime", "5", "--check", "--env", "WHO=you", "--json", "--", "sh", "-c", "echo $WHO {a}; exit {code}")).ShouldBe(("greet", "command", ""));
        (await RunAsync(0, "run", "greet", "test", "1", "0")).Single().ShouldContain("\"stdout\":\"you 1\\n\"");
        await RunAsync(1, "run", "greet", "test", "1", "7");
        string.Join(' ', await RunAsync(0, "function", "show", "greet")).ShouldContain("\"walltime\":5");
        await RunAsync(0, "function", "register-command", "both", "--shell", "--parameter", "first", "--parameter", "second", "--", "echo \"$second\" \"$first\"");
        (await RunAsync(0, "run", "both", "test", "\"a;b\"", "\"$(id)\"")).Single().ShouldContain("\"stdout\":\"$(id) a;b\\n\"");

        var library = Path.Combine(SourceTree.Root, "tests", "FuncX.Tests.Functions", "bin", "Release", "net10.0", "Lab.dll");
        var median = Function(await RunAsync(0, "function", "register", $"{library}::FuncX.Tests.Functions.Calls::Median", "--json"));
        median.ShouldBe(("Median", "dotnet", "Lab::FuncX.Tests.Functions.Calls::Median"));
        (await RunAsync(0, "run", "Median", "test", "[5, 1, 9]")).ShouldBe(["5"]);
        string.Join(' ', await RunAsync(0, "function", "show", "Median")).ShouldContain("a package of");

        await RunAsync(2, "function", "register", "missing.json");
        await RunAsync(2, "function", "register", $"{library}::OnlyType");
        await RunAsync(2, "function", "register-command", "bad", "--env", "nothing", "--", "true");
        await RunAsync(2, "function", "register-command", "bad", "--walltime", "soon", "--", "true");
        await RunAsync(2, "function", "register-command", "bad", "--shell", "--", "echo", "two words");

        static (string? Name, string? Kind, string? Entry) Function(IReadOnlyList<string> lines)
        {
            var function = Parse(lines);
            return (function.GetProperty("name").GetString(), function.GetProperty("kind").GetString(), function.GetProperty("entry").GetString());
        }
    }

    [LongFact]
    public async Task What_a_function_requires_is_shown_and_kept_to()
    {
        var file = Path.Combine(shared.Cluster.DirectoryPath, "young.py");
        await File.WriteAllTextAsync(file, "def young(x):\n    return x\n");
        var registered = Parse(await RunAsync(0, "function", "register", $"{file}:young", "--name", "young", "--requires", "python >= 3.99", "--requires", "dotnet>=8", "--json"));
        registered.GetProperty("requires").EnumerateArray().Select(static one => one.GetString()).ShouldBe(["dotnet>=8", "python>=3.99"]);
        (await RunAsync(0, "function", "show", "young")).ShouldContain("requires     dotnet>=8 and python>=3.99");
        await using (var refused = await EndAsync(1, "run", "young", "test", "1"))
            string.Join(' ', refused.Errors).ShouldContain("The function requires dotnet>=8 and python>=3.99, and no manager of this endpoint has it");
        await RunAsync(0, "function", "register", $"{file}:young", "--name", "any", "--requires", "python>=3.9");
        (await RunAsync(0, "run", "any", "test", "1")).ShouldBe(["1"]);
        await using (var wrong = await EndAsync(1, "function", "register", $"{file}:young", "--requires", "ruby>=3"))
            string.Join(' ', wrong.Errors).ShouldContain("'ruby>=3' is no requirement");
        await RunAsync(0, "function", "register-command", "old", "--requires", "python<3", "--", "true");
        await RunAsync(1, "run", "old", "test");
    }

    [LongFact]
    public async Task A_call_whose_function_fails_is_made_again_as_often_as_it_says()
    {
        // Fails twice, and counts in a file.
        var count = Path.Combine(shared.Cluster.DirectoryPath, "tries");
        var function = await shared.FunctionAsync($"def shaky(kind):\n    with open('{count}' + kind, 'a+') as tries:\n        tries.write('x')\n        tries.seek(0)\n        n = len(tries.read())\n    if n <= 2:\n        raise {{'v': ValueError, 'k': KeyError}}[kind](n)\n    return n\n");
        (await RunAsync(0, "run", function, "test", "v", "--retries", "2", "--retry-on", "ValueError", "--retry-backoff", "10ms")).ShouldBe(["3"]);
        await RunAsync(1, "run", function, "test", "k", "--retries", "5", "--retry-on", "ValueError");
        (await File.ReadAllTextAsync(count + "k")).ShouldBe("x");
        await RunAsync(2, "run", function, "test", "v", "--retry-on", "ValueError");
        await RunAsync(1, "run", function, "test", "v", "--retries", "1", "--retry-on", "");
    }

    [Theory]
    [InlineData(false)]
    [LongData(true)]
    public async Task Lines_are_submitted_without_waiting_for_any_and_those_that_failed_run_again(bool fromInput)
    {
        // It fails as long as the file is not there.
        var mark = Path.Combine(shared.Cluster.DirectoryPath, $"mark-{fromInput}");
        var source = $"import os\ndef half(x, by=2):\n    if x % 10 == 0 and not os.path.exists('{mark}'):\n        raise ValueError(x)\n    return x // by\n";
        var function = await shared.FunctionAsync(source.Replace("half", "half" + fromInput, StringComparison.Ordinal));
        const int Count = 1_200;
        var lines = Enumerable.Range(0, Count).Select(static x => x % 3 == 0 ? $"{{\"args\": [{x}], \"kwargs\": {{\"by\": 1}}}}" : $"[{x}]").ToList();
        var group = $"lines-{fromInput}";
        string[] submit = ["submit", function, "test", "--group", group];
        if (fromInput)
        {
            await using var process = CliProcess.StartWithInput(shared.Cluster, submit);
            foreach (var line in lines)
                await process.Input.WriteLineAsync(line);
            process.Input.Close();
            await process.WaitAsync(Eventually.Patience);
            process.Output.ShouldBe([group]);
        }
        else
        {
            var file = Path.Combine(shared.Cluster.DirectoryPath, "lines.jsonl");
            await File.WriteAllLinesAsync(file, lines);
            var submitted = Parse(await RunAsync(0, [.. submit, file, "--json"]));
            (submitted.GetProperty("group").GetString(), submitted.GetProperty("submitted").GetInt32()).ShouldBe((group, Count));
        }

        await RunAsync(1, "group", "wait", group);
        Group(await RunAsync(0, "group", "show", group, "--json")).ShouldBe((Count, Count / 10));
        await File.WriteAllTextAsync(mark, "");
        var again = (await RunAsync(0, "group", "rerun", group)).ShouldHaveSingleItem();
        await RunAsync(0, "group", "wait", again);
        Group(await RunAsync(0, "group", "show", again, "--json")).ShouldBe((Count / 10, 0));
        (await RunAsync(0, "group", "results", again)).Select(static line => Parse([line]).GetProperty("value").GetInt32()).Order()
            .ShouldBe(Enumerable.Range(0, Count / 10).Select(static number => number * 10).Select(static x => x % 3 == 0 ? x : x / 2).Order());

        var every = Parse(await RunAsync(0, "group", "rerun", again, "--all", "--group", again + "-2", "--json"));
        (every.GetProperty("group").GetString(), every.GetProperty("submitted").GetInt32(), every.GetProperty("forgotten").GetInt32()).ShouldBe((again + "-2", Count / 10, 0));
        await RunAsync(0, "group", "wait", again + "-2");
        Parse(await RunAsync(0, "group", "rerun", again, "--json")).GetProperty("submitted").GetInt32().ShouldBe(0, "none failed");
        await RunAsync(2, "group", "rerun", again, "--group", again);
        await RunAsync(5, "group", "rerun", "nobody");
        await RunAsync(2, "submit", function, "test", "missing.jsonl");

        static (int Tasks, int Failed) Group(IReadOnlyList<string> lines) => (Parse(lines).GetProperty("tasks").GetInt32(), Parse(lines).GetProperty("failed").GetInt32());
    }

    [Fact]
    public async Task Calls_run_after_others_of_their_group_or_not_at_all_and_are_repeated_in_that_order()
    {
        var (log, gate) = (Path.Combine(shared.Cluster.DirectoryPath, "order"), Path.Combine(shared.Cluster.DirectoryPath, "gate"));
        var function = await shared.FunctionAsync($"import os, time\ndef step(name):\n    while name == 'first' and not os.path.exists('{gate}'):\n        time.sleep(0.01)\n    open('{log}', 'a').write(name + ' ')\n    if name == 'bad' and not os.path.exists('{gate}-2'):\n        raise ValueError(name)\n    return name\n");
        var group = SharedCluster.NewGroup();
        var first = await SubmitAsync("first");
        var second = await SubmitAsync("second", "--after", first, "--after", $"{first}-0");
        var shown = Parse(await RunAsync(0, "group", "show", group, "--json"));
        (shown.GetProperty("tasks").GetInt32(), shown.GetProperty("waiting").GetInt32()).ShouldBe((2, 1));
        (await RunAsync(0, "task", "show", $"{second}-0")).ShouldContain(static line => line.Contains("queued; runs after 2 that have not ended", StringComparison.Ordinal));
        await File.WriteAllTextAsync(gate, "");
        await RunAsync(0, "group", "wait", group);
        (await File.ReadAllTextAsync(log)).ShouldBe("first second ");

        var bad = await SubmitAsync("bad");
        var behind = await SubmitAsync("behind", "--after", $"{bad}-0");
        var last = await SubmitAsync("last", "--after", behind, "--after", first);
        await RunAsync(1, "group", "wait", group);
        await using (var refused = await EndAsync(1, "task", "result", $"{last}-0"))
            string.Join(' ', refused.Errors).ShouldContain($"did not run: Batch {behind}, after which the task was to run, has a task that did not end with a value.");
        (await File.ReadAllTextAsync(log)).ShouldBe("first second bad ");
        await File.WriteAllTextAsync(gate + "-2", "");
        var again = (await RunAsync(0, "group", "rerun", group)).ShouldHaveSingleItem();
        await RunAsync(0, "group", "wait", again);
        (await File.ReadAllTextAsync(log)).ShouldBe("first second bad bad behind last ");

        await RunAsync(2, "submit", function, "test", "--after", first);
        await RunAsync(2, "run", function, "test", "x", "--group", group, "--after", "nothing");
        await using var unknown = await EndAsync(5, "run", function, "test", "x", "--group", group, "--after", $"{first}-1");
        string.Join(' ', unknown.Errors).ShouldContain($"is to run after {first}-1, which was not found");

        async Task<string> SubmitAsync(string name, params string[] after)
        {
            var file = Path.Combine(shared.Cluster.DirectoryPath, "step.jsonl");
            await File.WriteAllTextAsync(file, $"\"{name}\"\n");
            return Parse(await RunAsync(0, ["submit", function, "test", file, "--group", group, "--json", .. after])).GetProperty("batches").EnumerateArray().ShouldHaveSingleItem().GetString()!;
        }
    }

    [LongFact]
    public async Task A_function_of_each_kind_is_called_for_files()
    {
        var folder = Directory.CreateDirectory(Path.Combine(shared.Cluster.DirectoryPath, "files")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "a.csv"), "1\n2\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "b.csv"), "\u00e9\n");
        await File.WriteAllBytesAsync(Path.Combine(folder, "c.bin"), [0, 255, 10]);
        string[] texts = ["--files", $"{folder}/*.csv"];
        var size = await shared.FunctionAsync("import os\ndef size(path):\n    return [os.path.isabs(path), os.path.getsize(path)]\n");
        (await RunAsync(0, ["map", size, "test", .. texts])).ShouldBe([$"{folder}/a.csv\t[true,4]", $"{folder}/b.csv\t[true,3]"]);
        var lines = await shared.FunctionAsync("def lines(text):\n    return text.splitlines()\n");
        (await RunAsync(0, ["map", lines, "test", .. texts, "--contents"])).Select(static line => line.Split('\t')[1]).ShouldBe(["[\"1\",\"2\"]", "[\"\\u00e9\"]"]);
        var turned = await shared.FunctionAsync("def turned(data):\n    return data[::-1]\n");
        Parse(await RunAsync(0, "map", turned, "test", "--files", $"{folder}/*.bin", "--contents", "--binary", "--json")).GetProperty("value").GetProperty("base64").GetBytesFromBase64().ShouldBe([10, 255, 0]);

        await RunAsync(0, "function", "register-command", "bytes", "--", "wc", "-c", "{file}");
        (await RunAsync(0, "map", "bytes", "test", "--files", $"{folder}/c.bin")).ShouldHaveSingleItem().ShouldContain($"\"stdout\":\"3 {folder}/c.bin\\n\"");
        await RunAsync(0, "function", "register-command", "count", "--", "wc", "-c");
        var target = Path.Combine(folder, "out");
        (await RunAsync(0, "map", "count", "test", "--files", $"{folder}/*.*", "--contents", "--output-dir", target)).Select(static line => line.Split('\t')[1])
            .ShouldBe([$"{target}/a.csv.json", $"{target}/b.csv.json", $"{target}/c.bin.json"]);
        (await File.ReadAllTextAsync($"{target}/c.bin.json")).ShouldContain("\"stdout\":\"3\\n\"");

        // Above the service's limit, 10 MiB.
        await File.WriteAllTextAsync(Path.Combine(folder, "d.csv"), new string('x', 11 << 20));
        await using var refused = await EndAsync(1, ["map", lines, "test", .. texts, "--contents"]);
        refused.Errors.ShouldContain(line => line.StartsWith($"funcx: {folder}/d.csv of 11534336 bytes is too large for an argument: ", StringComparison.Ordinal) && line.Contains("the limit payload_bytes is 10485760", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_tasks_result_is_its_value_or_the_reason_why_there_is_none()
    {
        var square = await SubmitAsync(Python.Square, SharedCluster.NewGroup(), "[12]");
        (await RunAsync(0, "task", "result", square, "--wait")).ShouldBe(["151"]);
        var result = Parse(await RunAsync(0, "task", "result", square, "--json"));
        result.EnumerateObject().Select(static property => property.Name).ShouldBe(["task", "outcome", "value", "stdout", "stderr"]);
        (result.GetProperty("task").GetString(), result.GetProperty("outcome").GetString(), result.GetProperty("value").GetInt32()).ShouldBe((square, "value", 151));

        var failing = await SubmitAsync(Python.Fail, SharedCluster.NewGroup(), "[12]");
        await using (var failed = await EndAsync(1, "task", "result", failing, "--wait"))
        {
            failed.Output.ShouldBeEmpty();
            failed.Errors.ShouldContain("before 12");
            failed.Errors.ShouldContain(static line => line.Contains("raise Broken", StringComparison.Ordinal));
        }

        var failure = Parse(await RunAsync(1, "task", "result", failing, "--json"));
        failure.GetProperty("outcome").GetString().ShouldBe("exception");
        failure.GetProperty("stdout").GetString().ShouldBe("before 12\n");
        failure.GetProperty("error").GetProperty("message").GetString().ShouldBe("no 12");

        var sleeping = await SubmitAsync(Python.Nap, SharedCluster.NewGroup(), "[600,1]");
        await using (var early = await EndAsync(1, "task", "result", sleeping))
            early.Errors.ShouldHaveSingleItem().ShouldContain("has not ended yet");
        (await RunAsync(0, "task", "cancel", sleeping)).ShouldBe(["Cancelled 1 of 1; the others had ended."]);
        await RunAsync(1, "task", "result", sleeping, "--wait");
        Parse(await RunAsync(1, "task", "result", sleeping, "--json")).GetProperty("outcome").GetString().ShouldBe("cancelled");

        await RunAsync(5, "task", "result", NoTask);
        await RunAsync(5, "task", "result", square.Replace("-0", "-1", StringComparison.Ordinal), "--wait");
        await RunAsync(2, "task", "result", "12");
    }

    [LongFact]
    public async Task Tasks_are_cancelled_by_their_ids_and_those_that_have_ended_are_not()
    {
        var group = SharedCluster.NewGroup();
        var ended = await SubmitAsync(Python.Square, group, "[1]");
        await RunAsync(0, "task", "result", ended, "--wait");
        var first = await SubmitAsync(Python.Nap, group, "[600,1]");
        var second = await SubmitAsync(Python.Nap, group, "[600,2]");
        var third = await SubmitAsync(Python.Nap, group, "[600,3]");

        await using (var refused = await EndAsync(5, "task", "cancel", first, NoTask))
            refused.Errors.ShouldHaveSingleItem().ShouldContain(NoTask);
        (await shared.Api.GroupAsync(group)).Done.ShouldBe(1, "an order that was refused cancelled something");
        (await RunAsync(0, "task", "cancel", ended, first, second)).ShouldBe(["Cancelled 2 of 3; the others had ended."]);
        Parse(await RunAsync(0, "task", "cancel", third, ended, "--json")).GetProperty("cancelled").GetInt32().ShouldBe(1);
        await RunAsync(2, "task", "cancel", "12");
        await RunAsync(2, "task", "cancel");

        var outcomes = (await shared.Api.WaitAsync(group, 4)).ToDictionary(static result => result.Key.ToString(), static result => result.Value.Outcome);
        outcomes.ShouldBe(new Dictionary<string, Outcome>
        {
            [ended] = Outcome.Value, [first] = Outcome.Cancelled, [second] = Outcome.Cancelled, [third] = Outcome.Cancelled,
        }, ignoreOrder: true);
    }

    [LongFact]
    public async Task A_group_is_waited_for_until_its_last_task_has_ended()
    {
        var group = SharedCluster.NewGroup();
        foreach (var call in (string[])["[0.2,1]", "[0.2,2]", "[2,3]"])
            await SubmitAsync(Python.Nap, group, call);

        var table = await RunAsync(0, "group", "wait", group);

        Cells(table, 0).ShouldBe(["group", "tasks", "queued", "waiting", "dispatched", "done", "failed", "last", "active", "labels"]);
        Cells(table, 2)[..7].ShouldBe([group, "3", "0", "0", "0", "3", "0"]);
        (await shared.Api.GroupAsync(group)).Done.ShouldBe(3);
        var counts = Parse(await RunAsync(0, "group", "wait", group, "--json"));
        counts.EnumerateObject().Select(static property => property.Name).ShouldBe(["group", "tasks", "queued", "waiting", "dispatched", "done", "failed", "labels", "last_active"]);
        counts.GetProperty("done").GetInt32().ShouldBe(3);

        // What the real service keeps of labels, and lists.
        var (key, square) = ($"k{Guid.NewGuid():N}", await shared.FunctionAsync(Python.Square));
        (await RunAsync(0, "run", square, "test", "2", "--group", group + "-2", "--label", $"{key}=1")).ShouldHaveSingleItem();
        Cells(await RunAsync(0, "group", "label", group, $"{key}=2", "other-"), 2)[^1].ShouldBe($"{key}=2");
        foreach (var (selector, names) in new[] { (key, new[] { group, group + "-2" }), ($"{key}=2", [group]) })
            Parse(await RunAsync(0, "group", "list", "--label", selector, "--json")).EnumerateArray().Select(static one => one.GetProperty("group").GetString()).ShouldBe(names);
        Parse(await RunAsync(0, "group", "list", "--unfinished", "--prefix", group, "--json")).GetArrayLength().ShouldBe(0);
        Parse(await RunAsync(0, "group", "list", "--prefix", group, "--json")).GetArrayLength().ShouldBe(2);
        await RunAsync(1, "group", "list", "--label", "a b");
        await RunAsync(5, "group", "label", "no-such-group", "a=1");

        await SubmitAsync(Python.Fail, group, "[1]");
        Cells(await RunAsync(1, "group", "wait", group), 2)[..7].ShouldBe([group, "4", "0", "0", "0", "4", "1"]);
        Parse(await RunAsync(1, "group", "wait", group, "--json")).GetProperty("failed").GetInt32().ShouldBe(1);
        await RunAsync(5, "group", "wait", "no-such-group");
        await RunAsync(2, "group", "wait");
    }

    private static JsonElement Parse(IReadOnlyList<string> lines) => JsonSerializer.Deserialize<JsonElement>(lines.ShouldHaveSingleItem());

    /// <summary>Words of a table's line, not counting empty ones.</summary>
    private static string[] Cells(IReadOnlyList<string> table, int line) =>
        table.Where(static text => text.Trim().Length > 0).ElementAt(line).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private Task<IReadOnlyList<string>> RunAsync(int exitCode, params string[] arguments) => CliProcess.RunAsync(shared.Cluster, exitCode, arguments);

    private async Task<CliProcess> EndAsync(int exitCode, params string[] arguments)
    {
        var process = CliProcess.Start(shared.Cluster, arguments);
        await process.WaitAsync(Eventually.Patience);
        process.ExitCode.ShouldBe(exitCode, process.ToString());
        return process;
    }

    /// <summary>Submits one call.</summary>
    /// <returns>The task's id.</returns>
    private async Task<string> SubmitAsync(string source, string group, string arguments)
    {
        var batch = ServiceApi.NewBatch();
        await shared.Api.SubmitAsync(ServiceApi.Request(await shared.FunctionAsync(source), shared.Cluster.EndpointId, group, [arguments], null, batch));
        return new TaskId(batch, 0).ToString();
    }
}
