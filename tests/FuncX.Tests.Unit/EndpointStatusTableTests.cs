using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Endpoint.Commands;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What <c>funcx-endpoint status</c> prints: each figure has a line of its own that changes with it and with nothing else.</summary>
public sealed partial class EndpointStatusTableTests
{
    private static readonly EndpointStatusReport s_report = new()
    {
        Name = "lab",
        EndpointId = "f00d",
        Service = "https://one",
        State = "running",
        Pid = 111,
        Host = "login1",
        Version = "1.0.0",
        Started = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Addresses = ["10.0.0.1:1"],
        Blocks = [new BlockReport("local-1", "running", 1, new DateTimeOffset(2026, 1, 2, 3, 4, 6, TimeSpan.Zero), "")],
    };

    private static readonly EndpointSnapshot s_numbers = new() { Note = "no block yet", SpoolOfOthers = "/spool/a" };

    /// <summary>Every number and text of the data path by the name it is printed under, with the property it comes from.</summary>
    public static TheoryData<string> Numbers => [.. Figures(typeof(EndpointSnapshot), "").Select(static figure => figure.Printed)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_figure_of_the_data_path_changes_its_own_line(string printed)
    {
        var (_, section, property) = Figures(typeof(EndpointSnapshot), "").Single(figure => figure.Printed == printed);
        var (changed, said) = Changed(property, section is null ? s_numbers : section.GetValue(s_numbers)!);
        var numbers = section is null ? (EndpointSnapshot)changed : (EndpointSnapshot)With(section, s_numbers, changed);
        Difference(Lines(s_report, s_numbers), Lines(s_report, numbers)).ShouldBe($"{printed} {said}");
    }

    [Theory]
    [InlineData("endpoint", nameof(EndpointStatusReport.Name), "other (f00d)")]
    [InlineData("endpoint", nameof(EndpointStatusReport.EndpointId), "lab (other)")]
    [InlineData("service", nameof(EndpointStatusReport.Service), "other")]
    [InlineData("state", nameof(EndpointStatusReport.State), "other")]
    [InlineData("process", nameof(EndpointStatusReport.Pid), "pid 987654 on login1, version 1.0.0")]
    [InlineData("process", nameof(EndpointStatusReport.Host), "pid 111 on other, version 1.0.0")]
    [InlineData("process", nameof(EndpointStatusReport.Version), "pid 111 on login1, version other")]
    public void A_fact_of_the_process_changes_its_own_line(string line, string property, string said) =>
        Difference(Lines(s_report, s_numbers), Lines((EndpointStatusReport)Changed(typeof(EndpointStatusReport).GetProperty(property)!, s_report).Object, s_numbers)).ShouldBe($"{line} {said}");

    [Fact]
    public void Start_addresses_and_blocks_are_printed_as_they_are()
    {
        var before = Lines(s_report, s_numbers);
        Difference(before, Lines(s_report with { Started = s_report.Started.AddHours(1) }, s_numbers)).ShouldBe("started 2026-01-02 04:04:05Z");
        Difference(before, Lines(s_report with { Addresses = ["10.0.0.1:1", "10.1.0.1:1"] }, s_numbers)).ShouldBe("addresses 10.0.0.1:1, 10.1.0.1:1");
        before.ShouldContain("blocks 1");
        before[^1].ShouldBe("local-1 running 1 node 2026-01-02 03:04:06Z");
        var block = s_report.Blocks[0] with { State = "lost", Nodes = 3, Reason = "node1 does not answer" };
        Lines(s_report with { Blocks = [block, block with { Block = "local-2" }] }, s_numbers)[^3..].ShouldBe(
            ["blocks 2", "local-1 lost 3 nodes 2026-01-02 03:04:06Z node1 does not answer", "local-2 lost 3 nodes 2026-01-02 03:04:06Z node1 does not answer"]);
        var staging = new BlockStaging(2, 1, 4, 3, 2048, 1024, "n1: no room");
        Lines(s_report with { Blocks = [block with { Staging = staging }] }, s_numbers)[^1].ShouldEndWith("node1 does not answer; staged 1 of 2 managers, 3 of 4 files, 1.0 KiB of 2.0 KiB: n1: no room");
        Lines(s_report with { Blocks = [] }, s_numbers)[^1].ShouldBe("blocks none");
    }

    private static IEnumerable<(string Printed, PropertyInfo? Section, PropertyInfo Property)> Figures(Type type, string prefix, PropertyInfo? section = null)
    {
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var printed = prefix + JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name).Replace('_', ' ');
            if (property.PropertyType == typeof(HopCounts) || property.PropertyType == typeof(ManagerHops))
            {
                foreach (var figure in Figures(property.PropertyType, printed + ": ", property))
                    yield return figure;
            }
            else if (property.PropertyType.IsPrimitive || property.PropertyType == typeof(string))
            {
                yield return (printed, section, property);
            }
        }
    }

    private static (object Object, string Said) Changed(PropertyInfo property, object of)
    {
        object value = property.PropertyType == typeof(bool) ? true : property.PropertyType == typeof(string) ? "other" : Convert.ChangeType(987_654, property.PropertyType, null);
        return (With(property, of, value), $"{value}");
    }

    /// <summary>A copy of a record with one property changed.</summary>
    private static object With(PropertyInfo property, object of, object value)
    {
        var copy = of.GetType().GetMethod("<Clone>$")!.Invoke(of, null)!;
        property.SetValue(copy, value);
        return copy;
    }

    private static string Difference(List<string> before, List<string> after) =>
        before.Count == after.Count ? before.Zip(after).Where(static pair => pair.First != pair.Second).ShouldHaveSingleItem().Second : after.Except(before).ShouldHaveSingleItem();

    private static List<string> Lines(EndpointStatusReport report, EndpointSnapshot numbers)
    {
        using var output = new StringWriter();
        StatusTable.Write(report with { Dispatch = JsonSerializer.SerializeToElement(numbers, EndpointStatusReport.Json) }, output);
        return [.. output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => Spaces().Replace(line, " ").Trim())];
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
