using System.Text.Json;
using FuncX.Client;
using FuncX.Contracts.V1;
using FuncX.Tests.Client.Fake;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>Labels of groups and the list of groups, as the command and the client have them.</summary>
[Collection(nameof(CommandHarness))]
public sealed class CliGroupTests : CommandHarness
{
    [Theory]
    [InlineData("run", "same", "lab", "1")]
    [InlineData("map", "same", "lab")]
    [InlineData("submit", "same", "lab")]
    public async Task Calls_bring_their_labels(params string[] arguments)
    {
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");

        (await ServiceInputAsync("1\n2\n", [.. arguments, "--group", "g1", "--label", "campaign=spring", "--label", "note=a = b"])).Code.ShouldBe(0);

        Service.State.Submissions.ShouldNotBeEmpty();
        Service.State.Submissions.ShouldAllBe(static request => request.Labels.Count == 2 && request.Labels["campaign"] == "spring" && request.Labels["note"] == "a = b");
        var (_, output, _) = await ServiceAsync("group", "show", "g1");
        output.ShouldContain("campaign=spring note=a = b");
        Service.State.Label("g1", [new("campaign", "autumn")], []);
        (await ServiceAsync("group", "show", "g1")).Output.ShouldContain("campaign=autumn note=a = b");
    }

    [Theory]
    [InlineData("--label 'spring' is no label; write KEY=VALUE.", "run", "f", "e", "--label", "spring")]
    [InlineData("--label '=spring' is no label; write KEY=VALUE.", "map", "f", "e", "--label", "=spring")]
    [InlineData("--label names 'a' twice; a group has one value of each key.", "submit", "f", "e", "--label", "a=1", "--label", "a=2")]
    [InlineData("the label 'a' is no label; write KEY=VALUE.", "group", "label", "g", "a")]
    public async Task What_is_no_label_is_a_usage_error(string message, params string[] arguments)
    {
        var (code, output, error) = await ServiceAsync(arguments);

        (code, output, error).ShouldBe((2, "", $"funcx: {message}\n"));
        Service.State.Submissions.ShouldBeEmpty();
    }

    [Fact]
    public async Task Groups_are_listed_by_label_prefix_and_what_is_unfinished_over_all_pages()
    {
        await SubmitOneAsync("b-1");
        await SubmitOneAsync("b-2");
        await SubmitOneAsync("a");
        Service.State.Holding = true;
        await SubmitOneAsync("b-2", wait: false);
        Service.State.Label("b-1", [new("k", "1")], []);
        Service.State.Label("a", [new("k", "2"), new("l", "")], []);
        Service.State.GroupsPerPage = 1;

        (await ListAsync()).ShouldBe(["a", "b-1", "b-2"]);
        (await ListAsync("--prefix", "b")).ShouldBe(["b-1", "b-2"]);
        (await ListAsync("--unfinished")).ShouldBe(["b-2"]);
        (await ListAsync("--label", "k")).ShouldBe(["a", "b-1"]);
        (await ListAsync("--label", "k=1")).ShouldBe(["b-1"]);
        (await ListAsync("--label", "k", "--label", "l=")).ShouldBe(["a"]);
        (await ListAsync("--label", "nothing")).ShouldBeEmpty();
        Service.State.GroupLists[^1].ShouldBe(new ListGroupsRequest { Labels = { "nothing" }, Limit = 1_000 });

        var (code, output, _) = await ServiceAsync("group", "list");
        code.ShouldBe(0);
        var rows = output.Split('\n').Select(static line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ToList();
        rows.ShouldContain("a 1 0 0 0 1 0 2023-11-14 22:13:20Z k=2 l=");
        rows.ShouldContain("b-2 2 1 0 0 1 0 2023-11-14 22:13:20Z");

        async Task<List<string>> ListAsync(params string[] arguments)
        {
            using var document = JsonDocument.Parse((await ServiceAsync(["group", "list", .. arguments, "--json"])).Output);
            return [.. document.RootElement.EnumerateArray().Select(static group => group.GetProperty("group").GetString()!)];
        }
    }

    [Fact]
    public async Task Labels_of_a_group_are_set_and_removed()
    {
        await SubmitOneAsync("g");
        Service.State.Label("g", [new("old", "1"), new("kept", "2")], []);

        var (code, output, _) = await ServiceAsync("group", "label", "g", "new=x-", "old-", "--json");

        (code, output).ShouldBe((0, """{"group":"g","tasks":1,"queued":0,"waiting":0,"dispatched":0,"done":1,"failed":0,"labels":{"kept":"2","new":"x-"},"last_active":1700000000000000}""" + "\n"));
        (await ServiceAsync("group", "label", "unknown", "a=1")).Code.ShouldBe(5);
        (await ServiceAsync("group", "label", "g")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task The_client_sets_labels_with_calls_of_every_way_and_of_a_group()
    {
        var (function, endpoint) = (Service.State.AddFunction("same"), Service.State.AddEndpoint("lab"));
        var settings = new CallSettings { Labels = new Dictionary<string, string> { ["way"] = "of" } };
        await using var client = Service.Client(new FuncXClientOptions { Group = "single" });
        (await client.CallAsync<int, int>(function, endpoint, 1, settings)).ShouldBe(1);
        await Task.WhenAll((await client.SubmitManyAsync<int, int>(function, endpoint, [2, 3], settings)).Select(static handle => handle.AsTask()));
        (await client.MapAsync<int, int>(function, endpoint, [4, 5], new MapOptions { Group = "map", Settings = settings }).CountAsync(TestContext.Current.CancellationToken)).ShouldBe(2);
        await client.SubmitAllAsync(function, endpoint, new[] { CallArguments.Of(6) }.ToAsyncEnumerable(), "all", settings);
        Service.State.Submissions.Count.ShouldBe(4);
        Service.State.Submissions.ShouldAllBe(static request => request.Labels.Count == 1 && request.Labels["way"] == "of");
        await client.CallAsync<int, int>(function, endpoint, 7);
        Service.State.Submissions[^1].Labels.ShouldBeEmpty();

        var set = await client.Tasks.SetGroupLabelsAsync("map", new Dictionary<string, string> { ["a"] = "1" }, ["way"]);
        set.Labels.ShouldBe(new Dictionary<string, string> { ["a"] = "1" });
        (await client.Tasks.ListGroupsAsync(["way=of"]).Select(static group => group.Group).ToListAsync(TestContext.Current.CancellationToken)).ShouldBe(["all", "single"]);
        (await client.Tasks.ListRecentGroupsAsync(2, unfinished: true)).ShouldBeEmpty();
        Service.State.GroupLists[^1].ShouldBe(new ListGroupsRequest { Unfinished = true, Limit = 2, Recent = true });
    }
}
