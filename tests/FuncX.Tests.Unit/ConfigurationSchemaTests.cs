using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncX.Configuration;
using FuncX.Tests.Fuzz;
using Json.Schema;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The schema and the reference page of a machine's file against the reader that they are made of.</summary>
public sealed class ConfigurationSchemaTests
{
    private const string First = "# yaml-language-server: $schema=endpoint.schema.json";
    private const string Batch = "workers: {per_node: 1}\nprovider: ";

    // JSON is YAML as well, with a space behind each colon.
    private static readonly JsonSerializerOptions s_spaced = new() { WriteIndented = true };
    private static readonly string[] s_values = ["true", "0", "3", "-1", "1.5", "1000000000", "\"\"", "\"a\"", "\"/a\"", "\"a/b\"", "\"1h\"", "\"01:00:00\"", "\"1GiB\"", "\"1 GB\"", "[]", "[\"a\"]", "[\"/a\", \"b\"]", "[1, true]", "{}", "{\"a\": 1}"];
    private static readonly JsonSchema s_schema = JsonSchema.FromText(EndpointSchema.Write());

    public static TheoryData<string> Files => new(Directory.EnumerateFiles(ConfigurationScratch.Repository("configs"), "*.yaml").Select(static file => Path.GetFileName(file)).Order(StringComparer.Ordinal));

    public static TheoryData<string> Uses => new(ConfigurationKeysTests.Documents.Distinct(StringComparer.Ordinal));

    [Theory]
    [InlineData("endpoint.schema.json")]
    [InlineData("REFERENCE.md")]
    public void What_stands_in_configs_is_what_the_program_prints(string name)
    {
        var file = Path.Combine(ConfigurationScratch.Repository("configs"), name);
        var written = name == "REFERENCE.md" ? EndpointReference.Write() : EndpointSchema.Write();
        if (Environment.GetEnvironmentVariable("FUNCX_TESTS_WRITE_GOLDEN") == "1")
            File.WriteAllText(file, written);
        File.ReadAllText(file).ShouldBe(written, "FUNCX_TESTS_WRITE_GOLDEN=1 writes it anew");
    }

    [Fact]
    public void Every_key_has_a_meaning_and_every_meaning_a_key() =>
        KeyMeanings.All.Keys.ShouldBe(EndpointKeys.All.Select(static key => key.Path), ignoreOrder: true);

    [Fact]
    public void What_holds_without_a_key_is_in_words_only_where_the_reader_does_not_say_it() =>
        KeyMeanings.LeftOut.Keys.ShouldBeSubsetOf(EndpointKeys.All.Where(static key => key.With.Values.Any(static one => one is { Default: null, IsRequired: false })).Select(static key => key.Path));

    [Fact]
    public void A_default_can_be_written_into_the_file()
    {
        foreach (var (kind, key) in EndpointKeys.All.SelectMany(static key => key.With.Select(one => (one.Key, one.Value))).Where(static one => one.Value.Default is not null))
        {
            var document = Least(kind);
            var isText = key.Kind is KeyKind.Text or KeyKind.Path or KeyKind.Program or KeyKind.Duration or KeyKind.Size || key.Choices.Contains(key.Default);
            Set(document, key.Path, isText ? key.Default : JsonNode.Parse(key.Default!));
            // To be named at all these need another key.
            if (key.Path is "sharing.users" or "sharing.groups")
                document["sharing"]!["mode"] = "allow_shared_account";
            if (key.Path == "workers.managers_per_node")
                document["workers"]!["simulate"] = true;
            var text = document.ToJsonString(s_spaced);
            EndpointConfigurationFile.Parse("x.yaml", text).Errors.ShouldBeEmpty(text);
            Refused(text).ShouldBeEmpty(text);
        }
    }

    [Fact]
    public void Without_a_provider_a_file_may_hold_what_it_may_with_the_local_one()
    {
        foreach (var key in EndpointKeys.All.Where(static key => key.Path != "provider" && key.Section != "provider"))
        {
            foreach (var value in s_values)
            {
                var (with, without) = (With(ProviderKind.Local, key, value), Least(ProviderKind.Local));
                without.Remove("provider");
                Set(without, key.Path, JsonNode.Parse(value));
                var text = without.ToJsonString(s_spaced);
                IsValid(text).ShouldBe(IsValid(with), text);
                EndpointConfigurationFile.Parse("x.yaml", text).IsValid.ShouldBe(EndpointConfigurationFile.Parse("x.yaml", with).IsValid, text);
            }
        }
    }

    [Fact]
    public void The_schema_is_one_by_its_own_schema()
    {
        using var schema = JsonDocument.Parse(EndpointSchema.Write());
        MetaSchemas.Draft202012.Evaluate(schema.RootElement).IsValid.ShouldBeTrue();
        schema.RootElement.GetProperty("$schema").GetString().ShouldBe(MetaSchemas.Draft202012Id.ToString().TrimEnd('#'));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_file_of_configs_is_valid_by_the_schema_and_names_it(string name)
    {
        var text = File.ReadAllText(Path.Combine(ConfigurationScratch.Repository("configs"), name));
        text.Split('\n')[0].ShouldBe(First);
        EndpointConfigurationFile.Parse(name, text, static _ => "/home/ann").Errors.ShouldBeEmpty();
        Refused(text).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Uses))]
    public void What_a_key_may_be_is_valid_by_the_schema(string text) => Refused(text).ShouldBeEmpty();

    [Theory]
    [InlineData("nmae: a", "/nmae")]
    [InlineData("blocks: {mim: 1}", "/blocks/mim")]
    [InlineData("containers: {cache: {dir: /b, szie: 1GiB}}", "/containers/cache/szie")]
    [InlineData("telemetry: {traces: 0.1}", "/telemetry/traces")]
    [InlineData("name: [a]", "/name")]
    [InlineData("name:", "/name")]
    [InlineData("name: ''", "/name")]
    [InlineData("blocks: 3", "/blocks")]
    [InlineData("blocks:", "/blocks")]
    [InlineData("blocks: {max: many}", "/blocks/max")]
    [InlineData("blocks: {max: '3'}", "/blocks/max")]
    [InlineData("blocks: {max: 1.5}", "/blocks/max")]
    [InlineData("blocks: {max: 0}", "/blocks/max")]
    [InlineData("blocks: {max: 10001}", "/blocks/max")]
    [InlineData("blocks: {parallelism: 0}", "/blocks/parallelism")]
    [InlineData("blocks: {parallelism: 1.5}", "/blocks/parallelism")]
    [InlineData("blocks: {idle: 5}", "/blocks/idle")]
    [InlineData("blocks: {idle: 1m1h}", "/blocks/idle")]
    [InlineData("blocks: {idle: '01:60:00'}", "/blocks/idle")]
    [InlineData("limits: {result: 1024}", "/limits/result")]
    [InlineData("limits: {result: 1Gib}", "/limits/result")]
    [InlineData("workers: {simulate: yes}", "/workers/simulate")]
    [InlineData("workers: {isolation: per-task}", "/workers/isolation")]
    [InlineData("workers: {prefetch: 1025}", "/workers/prefetch")]
    [InlineData("workers: {prefetch: '16'}", "/workers/prefetch")]
    [InlineData("workers: {prefetch: automatic}", "/workers/prefetch")]
    [InlineData("workers: {preload: numpy}", "/workers/preload")]
    [InlineData("workers: {preload: [[numpy]]}", "/workers/preload/0")]
    [InlineData("workers: {python: bin/python}", "/workers/python")]
    [InlineData("workers: {python: '${PYTHON}'}", "/workers/python")]
    [InlineData("interfaces: [lo, '']", "/interfaces/1")]
    [InlineData("transport: udp", "/transport")]
    [InlineData("state_dir: x", "/state_dir")]
    [InlineData("stage_in: [/a, b]", "/stage_in/1")]
    [InlineData("containers: {warm: {ml: many}}", "/containers/warm/ml")]
    [InlineData("containers: {warm: {ml: 4097}}", "/containers/warm/ml")]
    [InlineData("containers: {cache: {size: 1GiB}}", "/containers/cache")]
    [InlineData("provider: {nodes: 2}", "/provider")]
    [InlineData("provider: {type: slrum}", "/provider/type")]
    [InlineData("provider: {type: local, queue: q}", "/provider/queue")]
    [InlineData("provider: {type: local, nodes: 1025}", "/provider/nodes")]
    [InlineData(Batch + "{type: pbs, walltime: 1h, partition: q}", "/provider/partition")]
    [InlineData(Batch + "{type: cobalt, walltime: 1h, place: scatter}", "/provider/place")]
    [InlineData(Batch + "{type: slurm, walltime: 1h, nodes: 2}", "/provider/nodes")]
    [InlineData(Batch + "{type: slurm, walltime: 60}", "/provider/walltime")]
    [InlineData(Batch + "{type: slurm, walltime: 1h, gpus_per_node: 0}", "/provider/gpus_per_node")]
    [InlineData(Batch + "{type: allocation, nodes_per_block: 2}", "/provider/nodes_per_block")]
    [InlineData(Batch + "{type: cobalt}", "/provider")]
    [InlineData("provider: {type: slurm, walltime: 1h}", "")]
    [InlineData("provider: {type: allocation}\nworkers: {cores_per_worker: 2}", "/workers")]
    public void What_is_broken_is_refused_where_the_reader_refuses_it(string yaml, string place)
    {
        var text = ConfigurationKeysTests.Document(yaml);
        var places = new YamlAsJson(text).PlacesOf(place);
        var errors = EndpointConfigurationFile.Parse("x.yaml", text, static _ => null).Errors;
        errors.ShouldNotBeEmpty();
        errors.Select(static error => (error.Line, error.Column)).ShouldBeSubsetOf(places, string.Join('\n', errors));
        Refused(text).ShouldBe([place]);
    }

    [Theory]
    [InlineData("name")]
    [InlineData("service")]
    [InlineData("state_dir")]
    public void What_every_file_has_is_required(string key)
    {
        var text = string.Join('\n', ConfigurationKeysTests.Document("description: b").Split('\n').Where(line => !line.StartsWith(key + ":", StringComparison.Ordinal)));
        EndpointConfigurationFile.Parse("x.yaml", text).Errors.ShouldHaveSingleItem().Message.ShouldStartWith($"the key '{key}' is missing");
        Refused(text).ShouldBe([""]);
    }

    [Fact]
    public void Whatever_a_key_holds_the_schema_refuses_nothing_that_the_reader_takes()
    {
        // The short run looks at one in five.
        foreach (var (text, _) in Documents(s_values).Where(static (_, number) => FuzzRun.Full || number % 5 == 0))
        {
            if (!IsValid(text))
                EndpointConfigurationFile.Parse("x.yaml", text).Errors.ShouldNotBeEmpty(text);
        }
    }

    [Fact]
    public void A_value_of_another_type_and_a_key_of_another_provider_are_refused_by_both()
    {
        foreach (var (text, key) in Documents(["null", "[[1]]", "{\"a\": {\"b\": 1}}"]))
        {
            EndpointConfigurationFile.Parse("x.yaml", text).Errors.ShouldNotBeEmpty(text);
            var places = Refused(text);
            places.ShouldNotBeEmpty(text);
            places.ShouldAllBe(place => place.StartsWith("/" + key.Path.Replace('.', '/'), StringComparison.Ordinal), text);
        }
    }

    [Theory]
    [InlineData("90s")]
    [InlineData("2m")]
    [InlineData("1h30m")]
    [InlineData("1d1h1m1s1ms")]
    [InlineData("500ms")]
    [InlineData("1.5s")]
    [InlineData(".5s")]
    [InlineData("5.s")]
    [InlineData("100:00:01")]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("5 m")]
    [InlineData("5M")]
    [InlineData("1m1h")]
    [InlineData("1m1m")]
    [InlineData("1.2.3s")]
    [InlineData(".s")]
    [InlineData("-1s")]
    [InlineData("1:00:00s")]
    [InlineData("01:00")]
    [InlineData("01:60:00")]
    [InlineData("01:0:00")]
    [InlineData("10000:00:00")]
    [InlineData("8GiB")]
    [InlineData("512 MiB")]
    [InlineData("1.5KiB")]
    [InlineData("100B")]
    [InlineData("1kB")]
    [InlineData("1gb")]
    [InlineData("1 ")]
    [InlineData("GiB")]
    [InlineData("1GiB ")]
    public void The_patterns_match_what_is_read_as_a_duration_or_as_a_size(string text)
    {
        Regex.IsMatch(text, Quantities.DurationPattern, RegexOptions.ECMAScript).ShouldBe(Quantities.TryReadDuration(text, out _));
        Regex.IsMatch(text, Quantities.SizePattern, RegexOptions.ECMAScript).ShouldBe(Quantities.TryReadSize(text, out _));
    }

    /// <summary>For each key, and for each of the provider's with every kind of provider, a file that is right but for the key's value.</summary>
    private static IEnumerable<(string Text, EndpointKey Key)> Documents(string[] values) =>
        from kind in Enum.GetValues<ProviderKind>()
        from key in EndpointKeys.All
        where key.Path is not ("provider" or "provider.type") && (key.Section == "provider" || kind is ProviderKind.Local or ProviderKind.Allocation)
        from value in values
        select (With(kind, key, value), key);

    private static string With(ProviderKind kind, EndpointKey key, string value)
    {
        var document = Least(kind);
        Set(document, key.Path, JsonNode.Parse(value));
        return document.ToJsonString(s_spaced);
    }

    private static JsonObject Least(ProviderKind kind)
    {
        var provider = new JsonObject { ["type"] = SnakeCase.Of(kind) };
        if (kind != ProviderKind.Local)
            provider["walltime"] = "1h";
        return new JsonObject
        {
            ["name"] = "a",
            ["service"] = "https://x.org",
            ["state_dir"] = "/tmp/a",
            ["provider"] = provider,
            ["workers"] = new JsonObject { ["per_node"] = 1 },
        };
    }

    private static void Set(JsonObject document, string path, JsonNode? value)
    {
        var parts = path.Split('.');
        foreach (var part in parts[..^1])
        {
            document[part] ??= part == "cache" ? new JsonObject { ["dir"] = "/b" } : new JsonObject();
            document = document[part]!.AsObject();
        }

        document[parts[^1]] = value;
    }

    private static bool IsValid(string yaml) => s_schema.Evaluate(new YamlAsJson(yaml).Value).IsValid;

    /// <summary>Where the schema refuses a file, as JSON pointers; none: it is valid.</summary>
    private static List<string> Refused(string yaml)
    {
        var results = s_schema.Evaluate(new YamlAsJson(yaml).Value, new EvaluationOptions { OutputFormat = OutputFormat.List });
        if (results.IsValid)
            return [];
        // What an 'if' says of a document is no complaint, and what is wrong in a section is wrong with the section: the innermost places count.
        var places = (results.Details ?? []).Where(static detail => detail.Errors is { Count: > 0 } && !detail.EvaluationPath.ToString().Contains("/if/", StringComparison.Ordinal) && !detail.EvaluationPath.ToString().EndsWith("/if", StringComparison.Ordinal))
            .Select(static detail => detail.InstanceLocation.ToString()).Distinct(StringComparer.Ordinal).ToList();
        return [.. places.Where(place => !places.Exists(other => other.StartsWith(place + "/", StringComparison.Ordinal)))];
    }
}
