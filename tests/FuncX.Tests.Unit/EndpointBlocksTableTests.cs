using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Endpoint.Commands;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Managers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>What <c>funcx-endpoint blocks</c> prints: each fact of a block is in its own column, and in its own property with <c>--json</c>.</summary>
public sealed partial class EndpointBlocksTableTests
{
    private static readonly BlockReport s_block = new("a-1", "running", 2, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), "slow", "8731");

    // Where a column of the table begins.
    private static readonly Dictionary<string, (int From, int Length)> s_columns = new(StringComparer.Ordinal)
    {
        ["block"] = (0, 24), ["job"] = (25, 20), ["state"] = (46, 9), ["nodes"] = (56, 5), ["requested"] = (63, 20), ["reason"] = (85, int.MaxValue),
    };

    public static TheoryData<string, BlockReport, string, string> Changes => new()
    {
        { "block", s_block with { Block = "a-2" }, "a-2", "\"a-2\"" },
        { "job", s_block with { Job = "8732" }, "8732", "\"8732\"" },
        { "job", s_block with { Job = "" }, "-", "\"\"" },
        { "state", s_block with { State = "requested" }, "requested", "\"requested\"" },
        { "nodes", s_block with { Nodes = 12_345 }, "12345", "12345" },
        { "requested", s_block with { Requested = s_block.Requested.AddDays(1) }, "2026-01-03 03:04:05Z", "\"2026-01-03T03:04:05+00:00\"" },
        { "requested", s_block with { Requested = new DateTimeOffset(2026, 1, 2, 5, 4, 6, TimeSpan.FromHours(2)) }, "2026-01-02 03:04:06Z", "\"2026-01-02T05:04:06+02:00\"" },
        { "reason", s_block with { Reason = "Priority" }, "Priority", "\"Priority\"" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_fact_of_a_block_changes_its_own_column(string column, BlockReport changed, string printed, string json)
    {
        var (before, after) = (Row(s_block), Row(changed));
        after[column].ShouldBe(printed);
        before[column].ShouldNotBe(printed);
        after.Where(cell => cell.Value != before[cell.Key]).Select(static cell => cell.Key).ShouldBe([column]);

        var (was, now) = (Json(s_block), Json(changed));
        now[column].ShouldBe(json);
        now.Where(property => property.Value != was[property.Key]).Select(static property => property.Key).ShouldBe([column]);
    }

    [Fact]
    public void Each_block_is_a_line_below_the_heading_with_how_far_its_files_are_behind_the_reason()
    {
        var staging = new BlockStaging(2, 1, 4, 3, 2048, 1024, "n1: no room");
        var lines = Lines([s_block, s_block with { Block = "a-2", Reason = "", Staging = staging }], json: false);
        Words().Replace(lines[0], " ").ShouldBe("block job state nodes requested reason");
        Words().Replace(lines[1], " ").ShouldBe("a-1 8731 running 2 2026-01-02 03:04:05Z slow");
        Words().Replace(lines[2], " ").ShouldBe("a-2 8731 running 2 2026-01-02 03:04:05Z staged 1 of 2 managers, 3 of 4 files, 1.0 KiB of 2.0 KiB: n1: no room");
        lines.Length.ShouldBe(3);
        Lines([], json: false).ShouldHaveSingleItem();
        Lines([], json: true).ShouldBe(["[]"]);
    }

    private static Dictionary<string, string> Row(BlockReport block)
    {
        var lines = Lines([block], json: false);
        foreach (var (name, (from, length)) in s_columns)
            Cell(lines[0], from, length).ShouldBe(name);
        return s_columns.ToDictionary(static column => column.Key, column => Cell(lines[1], column.Value.From, column.Value.Length), StringComparer.Ordinal);
    }

    private static string Cell(string line, int from, int length) => line[from..Math.Min(line.Length, length == int.MaxValue ? length : from + length)].Trim();

    private static Dictionary<string, string> Json(BlockReport block)
    {
        using var blocks = JsonDocument.Parse(string.Join('\n', Lines([block], json: true)));
        return blocks.RootElement.EnumerateArray().ShouldHaveSingleItem().EnumerateObject().ToDictionary(static property => property.Name, static property => property.Value.GetRawText().Replace("\\u002B", "+", StringComparison.Ordinal), StringComparer.Ordinal);
    }

    private static string[] Lines(IReadOnlyList<BlockReport> blocks, bool json)
    {
        var output = new StringWriter();
        BlocksCommand.Write(blocks, json, output);
        return output.ToString().TrimEnd('\n').Split('\n');
    }

    [GeneratedRegex(" +")]
    private static partial Regex Words();
}
