using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Cli.Output;
using FuncX.Contracts.V1;
using Google.Protobuf.Reflection;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>What is printed follows what the service says: one thing is changed, and that one line or figure changes with it.</summary>
[Collection(nameof(CommandHarness))]
public sealed partial class CliFiguresTests : CommandHarness
{
    private const long Before = 111_111;
    private const long After = 987_654;

    /// <summary>Fields of an endpoint as the service tells them, and the line of <c>endpoint show</c> that says them; null: only the JSON does.</summary>
    public static TheoryData<string, string?> EndpointFields => new()
    {
        { "endpoint_id", "id " },
        { "name", "endpoint " },
        { "description", "description " },
        { "online", "state " },
        { "last_seen", "last seen " },
        { "registered_at", "registered " },
        { "version", "version " },
        { "epoch", "epoch " },
        { "queued", "tasks at the service " },
        { "dispatched", "tasks at the service " },
        { "status.blocks_requested", "blocks " },
        { "status.blocks_running", "blocks " },
        { "status.managers", "managers " },
        { "status.workers", "workers " },
        { "status.workers_busy", "workers " },
        { "status.queued", "tasks at the endpoint " },
        { "status.running", "tasks at the endpoint " },
        { "status.completed", "tasks at the endpoint " },
        { "status.results_held", "results held " },
        { "status.spool_bytes", "results held " },
        { "status.note", "note " },
    };

    /// <summary>The times of a task, in the order of its way.</summary>
    private static IList<FieldDescriptor> Times => HopTimes.Descriptor.Fields.InFieldNumberOrder();

    public static TheoryData<int> TimeNumbers => [.. Enumerable.Range(0, Times.Count)];

    [Theory]
    [MemberData(nameof(EndpointFields))]
    public async Task A_field_of_an_endpoint_changes_its_own_line_and_its_own_figure(string field, string? line)
    {
        var endpoint = Service.State.AddEndpoint("lab");
        Fill(endpoint, Before);
        Fill(endpoint.Status, Before);
        var (name, target) = field.StartsWith("status.", StringComparison.Ordinal) ? (field["status.".Length..], (Google.Protobuf.IMessage)endpoint.Status) : (field, endpoint);
        var (table, document) = await ShowAsync(endpoint.EndpointId);
        Set(target, name, After);
        var (changedTable, changedDocument) = await ShowAsync(endpoint.EndpointId);

        changedTable.Count.ShouldBe(table.Count);
        Figures(changedDocument).Count().ShouldBe(Figures(document).Count());
        var lines = table.Zip(changedTable).Where(static pair => pair.First != pair.Second).ToList();
        if (line is null)
            lines.ShouldBeEmpty();
        else
            lines.ShouldHaveSingleItem().Second.ShouldStartWith(line);
        if (line is not null && Said(target, name) is { } said)
            lines[0].Second.ShouldContain(said);
        var figures = Figures(document).Zip(Figures(changedDocument)).Where(static pair => pair.First != pair.Second).ToList();
        figures.ShouldHaveSingleItem().Second.Name.ShouldBe(field);
    }

    [Fact]
    public void Every_field_of_an_endpoint_is_among_them() => EndpointInfo.Descriptor.Fields.InFieldNumberOrder().Select(static field => field.Name).Where(static name => name != "status")
        .Concat(EndpointStatus.Descriptor.Fields.InFieldNumberOrder().Select(static field => $"status.{field.Name}"))
        .ShouldBe(EndpointFields.Select(static row => row.Data.Item1), ignoreOrder: true);

    [Fact]
    public async Task A_list_of_endpoints_says_what_changes_in_the_row_of_the_endpoint()
    {
        var endpoint = Service.State.AddEndpoint("lab");
        Service.State.AddEndpoint("other");
        Fill(endpoint.Status, Before);
        (endpoint.Queued, endpoint.Status.Queued) = (40, 2);
        (endpoint.Status.BlocksRunning, endpoint.Status.WorkersBusy, endpoint.Status.Workers, endpoint.Status.Running) = (3, 5, 8, 13);
        (endpoint.Online, endpoint.Status.Note) = (false, "spool full");
        var rows = Lines((await ServiceAsync("endpoint", "list")).Output);
        rows.ShouldContain("lab offline 3 5/8 42 13 0.1.0 2023-11-14 22:13:20Z spool full");
        rows.ShouldContain("other online 1 0/2 0 0 0.1.0 2023-11-14 22:13:20Z");
    }

    [Theory]
    [MemberData(nameof(TimeNumbers))]
    public async Task A_hops_time_moves_from_the_stretch_behind_it_to_the_one_before(int number)
    {
        var task = await SubmitOneAsync();
        var times = Service.State.Find(task)!.Times;
        for (var at = 0; at < Times.Count; at++)
            Times[at].Accessor.SetValue(times, 1_700_000_000_000_000L + (at * 100_000));
        var before = HopTable.Hops(times);
        var moved = 1_700_000_000_000_000L + (number * 100_000) + 700;
        Times[number].Accessor.SetValue(times, moved);

        var lines = Lines((await ServiceAsync("task", "show", task)).Output);

        var last = Times.Count - 1;
        for (var hop = 0; hop < last; hop++)
        {
            var expected = hop == number - 1 ? "100.70 ms" : hop == number ? "99.30 ms" : "100.00 ms";
            lines.ShouldContain($"{before[hop].Hop} {expected} {before[hop].Clock}");
        }

        lines.ShouldContain($"in all {(number == 0 ? "1.099 s" : number == last ? "1.101 s" : "1.100 s")} client, service");
        using (var document = JsonDocument.Parse((await ServiceAsync("task", "show", task, "--json")).Output))
            document.RootElement.GetProperty("times").GetProperty(Times[number].Name).GetInt64().ShouldBe(moved);

        // And one that nobody took is unknown on both sides of it.
        Times[number].Accessor.SetValue(times, 0L);
        lines = Lines((await ServiceAsync("task", "show", task)).Output);
        for (var hop = 0; hop < last; hop++)
            lines.ShouldContain($"{before[hop].Hop} {(hop == number - 1 || hop == number ? "unknown" : "100.00 ms")} {before[hop].Clock}");
    }

    [Theory]
    [InlineData(0, "0 us")]
    [InlineData(999, "999 us")]
    [InlineData(-999, "-999 us")]
    [InlineData(1_000, "1.00 ms")]
    [InlineData(1_236, "1.24 ms")]
    [InlineData(-1_236, "-1.24 ms")]
    [InlineData(999_990, "999.99 ms")]
    [InlineData(1_000_000, "1.000 s")]
    [InlineData(61_500_400, "61.500 s")]
    public void Durations_have_the_unit_that_fits(long microseconds, string text) => Tables.Duration(microseconds).ShouldBe(text);

    private async Task<(List<string> Table, JsonElement Document)> ShowAsync(string endpoint)
    {
        // By its id, unless that is what has been changed.
        endpoint = Service.State.Endpoints[0].EndpointId is var now && now != endpoint ? now : endpoint;
        var (code, output, error) = await ServiceAsync("endpoint", "show", endpoint);
        code.ShouldBe(0, error);
        using var document = JsonDocument.Parse((await ServiceAsync("endpoint", "show", endpoint, "--json")).Output);
        return (Lines(output), document.RootElement.Clone());
    }

    private static IEnumerable<(string Name, string Value)> Figures(JsonElement document, string prefix = "") => document.EnumerateObject().SelectMany(field =>
        field.Value.ValueKind == JsonValueKind.Object ? Figures(field.Value, $"{field.Name}.") : [($"{prefix}{field.Name}", field.Value.GetRawText())]);

    private static void Fill(Google.Protobuf.IMessage message, long value)
    {
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder().Where(static field => field.FieldType != FieldType.Message))
            Set(message, field.Name, value);
    }

    private static void Set(Google.Protobuf.IMessage message, string name, long value)
    {
        var field = message.Descriptor.FindFieldByName(name);
        field.Accessor.SetValue(message, field.FieldType switch
        {
            FieldType.Bool => value == After,
            FieldType.String => $"text-{value}",
            FieldType.Int32 => (object)(int)value,
            FieldType.UInt32 => (uint)value,
            // A moment, for the fields that are one: so many seconds after the year 2023 began.
            _ => name is "last_seen" or "registered_at" ? 1_672_531_200_000_000 + (value * 1_000_000) : value,
        });
    }

    /// <summary>How a field's value is written; null when it is written otherwise.</summary>
    private static string? Said(Google.Protobuf.IMessage message, string name) => message.Descriptor.FindFieldByName(name) is { } field
        ? field.FieldType == FieldType.Bool ? "online" : name is "last_seen" or "registered_at" ? "2023-01-12 10:20:54Z" : $"{field.Accessor.GetValue(message)}"
        : null;

    /// <summary>The lines of a table without its drawing, and with one space where there are several.</summary>
    private static List<string> Lines(string output) =>
        [.. output.Split('\n').Select(static line => Spaces().Replace(line, " ").Trim()).Where(static line => line.Any(char.IsLetterOrDigit))];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
