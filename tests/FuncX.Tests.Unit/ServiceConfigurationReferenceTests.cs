using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using FuncX.Service.Commands;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>service/CONFIGURATION.md against the reader: the same keys, types, defaults and ranges.</summary>
public sealed partial class ServiceConfigurationReferenceTests
{
    public static TheoryData<string> Limits => [.. ServiceConfigurationReference.Rows.Where(static row => row.Section == "limits").Select(static row => row.Key)];

    public static TheoryData<string> Texts => [.. ServiceConfigurationReference.Rows.Where(static row => row.Section != "limits").Select(static row => row.Path)];

    [Fact]
    public void It_lists_every_key_that_the_reader_knows_and_no_other()
    {
        const string Unknown = "zzzzzzzz: 1";
        var keys = new List<string>();
        foreach (var error in ServiceConfiguration.Parse("x.yaml", $"{Unknown}\ncertificate: {{path: /a, {Unknown}}}\nlimits: {{{Unknown}}}\ntelemetry: {{{Unknown}, otlp: {{{Unknown}}}}}\nlogs: {{{Unknown}}}\n").Errors)
        {
            var known = KnownKeys().Match(error.Message);
            known.Success.ShouldBeTrue(error.Message);
            keys.AddRange(known.Groups[2].Value.Split(", ").Select(key => known.Groups[1].Length > 0 ? $"{known.Groups[1].Value}.{key}" : key));
        }

        keys.RemoveAll(static key => key is "certificate" or "limits" or "telemetry" or "telemetry.otlp" or "logs");
        ServiceConfigurationReference.Rows.Select(static row => row.Path).ShouldBe(keys, ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_has_the_type_and_the_range_that_its_error_names(string key)
    {
        var row = ServiceConfigurationReference.Limit(key);
        var error = ServiceConfiguration.Parse("x.yaml", $"limits: {{{key}: [1]}}").Errors.ShouldHaveSingleItem().Message;
        var expected = Expected().Match(error);
        expected.Success.ShouldBeTrue(error);
        row.Type.ShouldBe(expected.Groups[1].Value);
        row.Range.ShouldBe($"`{expected.Groups[2].Value}` to `{expected.Groups[3].Value}`");
    }

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_has_the_default_that_the_reference_says(string key)
    {
        // With the default written out and any other limit changed, the file means what it means without: so it is the default, and not the only value that passes.
        var written = ServiceConfigurationReference.Limit(key).Default.Trim('`');
        Read($"{key}: {written}").ShouldBe(new ServiceLimits());
        Read($"{key}: {Other(written)}").ShouldNotBe(new ServiceLimits());
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void A_key_outside_of_the_limits_has_the_type_that_its_error_names(string path)
    {
        var row = ServiceConfigurationReference.Rows.Single(row => row.Path == path);
        ServiceConfiguration.Parse("x.yaml", row.Yaml("[1]")).Errors.ShouldContain(error => error.Message.StartsWith($"'{path}' is a list of one item; expected {row.Expected}", StringComparison.Ordinal));
    }

    [Fact]
    public void What_it_tells_by_default_is_what_the_reference_says()
    {
        var nothing = ServiceConfiguration.Parse("x.yaml", "{}").Value.ShouldNotBeNull();
        var written = ServiceConfigurationReference.Rows.Where(static row => row.Path.StartsWith("telemetry.", StringComparison.Ordinal) || row.Path.StartsWith("logs.", StringComparison.Ordinal))
            .Where(static row => row.Default.StartsWith('`') && row.Default.EndsWith('`')).ToList();
        written.Count.ShouldBe(6);
        foreach (var row in written)
        {
            var told = ServiceConfiguration.Parse("x.yaml", row.Yaml(row.Default.Trim('`'))).Value.ShouldNotBeNull();
            (told.Telemetry, told.Logs).ShouldBe((nothing.Telemetry, nothing.Logs), row.Path);
        }
    }

    [Fact]
    public void What_is_left_out_is_what_the_reference_says()
    {
        var nothing = ServiceConfiguration.Parse("x.yaml", "{}").Value.ShouldNotBeNull();
        nothing.DataDirectory.ShouldBeNull();
        nothing.Certificate.ShouldBeNull();
        Default("data_dir").ShouldBe("none");
        Default("certificate.path").ShouldBe("none; required below `certificate:`");
        ServiceConfiguration.Parse("x.yaml", "certificate: {}").Errors.ShouldHaveSingleItem().Message.ShouldStartWith("the key 'certificate.path' is missing");
        Default("listen").ShouldBe($"`{new ServiceSettings("/tmp", new ServiceLimits()).Listen}`");
        Default("certificate.key").ShouldBe("in `certificate.path`");
        ServiceConfiguration.Parse("x.yaml", "certificate: {path: /a}").Value!.Certificate.ShouldBe(new CertificateSettings("/a", KeyPath: null, PasswordPath: null));

        static string Default(string path) => ServiceConfigurationReference.Rows.Single(row => row.Path == path).Default;
    }

    [Fact]
    public void It_lists_every_option_of_start_and_no_other()
    {
        var start = new Command("start");
        StartCommand.Configure(start);
        ServiceConfigurationReference.Options.ShouldBe(start.Options.Select(static option => option.HelpName is { } name ? $"{option.Name} {name}" : option.Name), ignoreOrder: true);
    }

    [Theory]
    [InlineData("limits: {payload_bytes: 49MiB, batch_bytes: 49MiB, request_bytes: 128MiB}", "payload_bytes", "at most 48MiB")]
    [InlineData("limits: {payload_bytes: 2MiB, batch_bytes: 1MiB}", "payload_bytes", "At most `batch_bytes`")]
    [InlineData("limits: {batch_bytes: 32MiB, batch_tasks: 1, request_bytes: 32832KiB}", "request_bytes", "At least `batch_bytes` + 5 `batch_tasks` + 64KiB")]
    [InlineData("limits: {code_bytes: 65MiB}", "code_bytes", "At most `request_bytes`")]
    [InlineData("limits: {max_attempts: 5, most_attempts: 4}", "max_attempts", "At most `most_attempts`")]
    public void What_holds_between_limits_is_an_error_and_in_the_reference(string yaml, string key, string words)
    {
        ServiceConfiguration.Parse("x.yaml", yaml).Errors.ShouldHaveSingleItem();
        ServiceConfigurationReference.Limit(key).AtTheLimit.ShouldContain(words);
    }

    private static ServiceLimits Read(string limit)
    {
        var result = ServiceConfiguration.Parse("x.yaml", $"limits: {{{limit}}}");
        result.Errors.ShouldBeEmpty(limit);
        return result.Value!.Limits;
    }

    // One less in the same unit: within what holds between the limits, too.
    private static string Other(string written) => Number().Replace(written, static number => (long.Parse(number.Value, CultureInfo.InvariantCulture) - 1).ToString(CultureInfo.InvariantCulture));

    [GeneratedRegex("^unknown key 'zzzzzzzz'(?: in '([^']*)')?; keys: (.*)$")]
    private static partial Regex KnownKeys();

    [GeneratedRegex(@"; expected a (whole number|size|duration) from (\S+) to ([^\s,]+)")]
    private static partial Regex Expected();

    [GeneratedRegex(@"^\d+")]
    private static partial Regex Number();
}
