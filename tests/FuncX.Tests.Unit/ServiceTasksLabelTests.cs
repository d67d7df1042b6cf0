using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Labels of groups and the list of groups: in memory, in the index, in both, after a restart, and after they have expired.</summary>
public sealed class ServiceTasksLabelTests
{
    private static readonly byte[] _value = [.. "42"u8];

    [Fact]
    public async Task Labels_of_a_submission_are_there_when_it_is_acknowledged_also_after_a_restart()
    {
        using var harness = new EngineHarness();
        await SubmitAsync(harness, "g", ("campaign", "spring"), ("owner/team", ""));
        await SubmitAsync(harness, "g", ("campaign", "autumn"), ("run", "2"));
        await Check();
        harness.Restart();
        await Check();

        async Task Check()
        {
            (await GroupAsync(harness, "g")).Labels.ShouldBe(new Dictionary<string, string> { ["campaign"] = "autumn", ["owner/team"] = "", ["run"] = "2" }, ignoreOrder: true);
            StoreCheckOf(harness).ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task Only_a_submission_with_labels_that_change_something_writes_rows()
    {
        using var harness = new EngineHarness();
        await harness.SubmitAsync(1);
        Rows(harness).ShouldBe(0);
        await SubmitAsync(harness, "g", ("a", "1"));
        Rows(harness).ShouldBe(1);
        Execute(harness, "CREATE TRIGGER refuse BEFORE INSERT ON group_label BEGIN SELECT RAISE(ABORT, 'written'); END");
        await SubmitAsync(harness, "g", ("a", "1"));
        Execute(harness, "DROP TRIGGER refuse");
    }

    [Fact]
    public async Task A_submission_whose_labels_cannot_be_made_durable_is_refused_and_leaves_nothing()
    {
        using var harness = new EngineHarness();
        await SubmitAsync(harness, "g", ("a", "1"));
        Execute(harness, "CREATE TRIGGER refuse BEFORE INSERT ON group_label BEGIN SELECT RAISE(ABORT, 'no room'); END");
        var refused = harness.Batch(1) with { Labels = Labels(("a", "2")) };
        (await harness.Engine.SubmitAsync(refused, "e", "f", inline: true)).Status.ShouldBe(StatusCode.ResourceExhausted);
        await Should.ThrowAsync<StorageFullException>(() => harness.Engine.LabelAsync(EngineHarness.Owner, "g", Labels(("a", "3")), []).AsTask());
        Execute(harness, "DROP TRIGGER refuse");
        harness.Time.Advance(TimeSpan.FromSeconds(2));
        await harness.Engine.LookAsync(static _ => true);
        var group = await GroupAsync(harness, "g");
        (group.Tasks, group.Labels["a"]).ShouldBe((1, "1"));
        // What was read of the failed turn is void: the same labels are written now.
        (await harness.Engine.SubmitAsync(refused, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        (await GroupAsync(harness, "g")).Labels["a"].ShouldBe("2");
    }

    [Fact]
    public async Task The_same_batch_with_other_labels_is_the_same_and_changes_none()
    {
        using var harness = new EngineHarness();
        var batch = await SubmitAsync(harness, "g", ("a", "1"));
        await LabelAsync(harness, "g", Labels(("a", "2")));
        (await harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.AcceptedBefore);
        (await harness.Engine.SubmitAsync(batch with { Labels = Labels(("b", "3")) }, "e", "f", inline: true)).ShouldBe(SubmitOutcome.AcceptedBefore);
        (await GroupAsync(harness, "g")).Labels.ShouldBe(new Dictionary<string, string> { ["a"] = "2" });
        var request = Request(("a", "1"));
        var content = SubmissionReader.Hash(request, 1, 2);
        request.Labels.Clear();
        SubmissionReader.Hash(request, 1, 2).ShouldBe(content);
    }

    [Fact]
    public async Task Labels_are_set_and_removed_of_a_group_in_memory_in_the_index_and_on_its_way_there()
    {
        using var harness = new EngineHarness();
        (await LabelAsync(harness, "g", Labels(("a", "1")))).ShouldBe(SubmitOutcome.Refused(StatusCode.NotFound, "group 'g' was not found"));
        await harness.SubmitAsync(1);
        (await LabelAsync(harness, "g", Labels(("a", "1"), ("b", "2")))).ShouldBe(SubmitOutcome.Accepted);
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
        // The next turn moves the group to the index and changes its labels.
        Task<SubmitOutcome>? during = null;
        await harness.Engine.LookAsync(_ =>
        {
            during = Task.Run(async () => await LabelAsync(harness, "g", Labels(("c", "3"))));
            return true;
        });
        await harness.Engine.IndexAllAsync();
        (await during!).ShouldBe(SubmitOutcome.Accepted);
        (await LabelAsync(harness, "g", Labels(("b", "new")), "a", "unknown")).ShouldBe(SubmitOutcome.Accepted);
        (await harness.Engine.LookAsync(static state => state.Groups.Count)).ShouldBe(0);
        harness.Restart();
        (await GroupAsync(harness, "g")).Labels.ShouldBe(new Dictionary<string, string> { ["b"] = "new", ["c"] = "3" }, ignoreOrder: true);
        (await LabelAsync(harness, "other", Labels(("a", "1")))).Status.ShouldBe(StatusCode.NotFound);
        (await harness.Engine.LabelAsync(8, "g", Labels(("a", "1")), [])).Status.ShouldBe(StatusCode.NotFound);
    }

    [Fact]
    public async Task A_group_has_32_labels_and_no_more()
    {
        using var harness = new EngineHarness();
        var most = Enumerable.Range(0, 32).Select(static number => ($"k{number}", "v")).ToArray();
        await SubmitAsync(harness, "g", most);
        (await SubmitForAsync(harness, "g", ("k5", "other"))).ShouldBe(SubmitOutcome.Accepted);
        var wrong = SubmitOutcome.Refused(StatusCode.InvalidArgument, "group 'g' would have 33 labels; the most is 32");
        (await SubmitForAsync(harness, "g", ("one-more", "v"))).ShouldBe(wrong);
        (await LabelAsync(harness, "g", Labels(("one-more", "v")))).ShouldBe(wrong);
        (await LabelAsync(harness, "g", Labels(("one-more", "v")), "k0")).ShouldBe(SubmitOutcome.Accepted);
        var group = await GroupAsync(harness, "g");
        (group.Tasks, group.Labels.Count, group.Labels.ContainsKey("one-more"), group.Labels.ContainsKey("k0")).ShouldBe((2, 32, true, false));
    }

    [Theory]
    [InlineData("", "v", "a label's key has 0 characters; 1 to 64 are right")]
    [InlineData("65 times k", "v", "a label's key has 65 characters; 1 to 64 are right")]
    [InlineData("a b", "v", "label key 'a b' has ' '; letters, digits, '.', '_', '/' and '-' are right")]
    [InlineData("a=b", "v", "label key 'a=b' has '='; letters, digits, '.', '_', '/' and '-' are right")]
    [InlineData("\u00e9t\u00e9", "v", "label key '\u00e9t\u00e9' has '\u00e9'; letters, digits, '.', '_', '/' and '-' are right")]
    [InlineData("a", "257 times v", "the value of label 'a' has 257 characters; up to 256 are right")]
    [InlineData("a", "two\nlines", "the value of label 'a' has U+000A; control characters are not right")]
    public void What_a_label_may_not_be_is_said(string key, string value, string message)
    {
        var (long_key, long_value) = (key == "65 times k" ? new string('k', 65) : key, value == "257 times v" ? new string('v', 257) : value);
        LabelRules.Check(Labels((long_key, long_value))).ShouldBe(message);
        var request = Request((long_key, long_value));
        var refused = SubmissionReader.CheckShape(request);
        (refused.Status, refused.Message).ShouldBe((StatusCode.InvalidArgument, $"batch {BatchId.Read(request.BatchId.Span)}: {message}"));
    }

    [Fact]
    public void What_a_label_may_be_is_taken()
    {
        LabelRules.Check(Labels((new string('k', 64), new string('\u00fc', 256)), ("aZ09._/-", ""), ("a", "with = and ' and \ud83d\ude80"))).ShouldBeNull();
        LabelRules.Check(Labels([.. Enumerable.Range(0, 33).Select(static number => ($"k{number}", ""))])).ShouldBe("there are 33 labels; a group has up to 32");
    }

    [Fact]
    public async Task Groups_are_listed_in_memory_in_the_index_and_in_both_and_the_same_after_a_restart()
    {
        using var harness = new EngineHarness();
        await SubmitAsync(harness, "indexed", ("k", "1"));
        await SubmitAsync(harness, "both", ("k", "2"), ("l", ""));
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "indexed");
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "both");
        await harness.Engine.IndexAllAsync();
        harness.Time.Advance(TimeSpan.FromMinutes(1));
        await harness.SubmitAsync(3, "both");
        await SubmitAsync(harness, "live", ("k", "1"));
        var link = await harness.ConnectAsync();
        using (var receiver = harness.Receiver(link))
            await receiver.ReceiveAsync(EngineHarness.Message(1, (await FirstAsync(harness, "live"), 1, TaskOutcome.Value, _value)), inline: true);
        harness.Engine.Disconnect(link);
        // As long as somebody listens a group without tasks is in memory too.
        var listening = Task.Run(() => harness.FollowOneAsync("nothing"), TestContext.Current.CancellationToken);
        while (await harness.Engine.LookAsync(static state => !state.Groups.ContainsKey((EngineHarness.Owner, "nothing"))))
            await Task.Delay(1, TestContext.Current.CancellationToken);
        var before = await CheckAsync();
        await harness.SubmitAsync(1, "nothing");
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "nothing");
        await listening;
        await harness.Engine.SnapshotAsync();
        harness.Restart();
        (await ListAsync(harness, static request => request.Prefix = "nothing")).ShouldBe(["nothing 1/1/1"]);
        (await CheckAsync(without: "nothing")).ShouldBe(before);

        async Task<List<GroupInfo>> CheckAsync(string without = "")
        {
            (await ListAsync(harness)).Where(line => without.Length == 0 || !line.StartsWith(without, StringComparison.Ordinal)).ShouldBe(["both 4/1/1 k=2 l=", "indexed 1/1/1 k=1", "live 1/1/0 k=1"]);
            (await ListAsync(harness, static request => request.Unfinished = true)).ShouldBe(["both 4/1/1 k=2 l="]);
            (await ListAsync(harness, static request => request.Prefix = "l")).ShouldBe(["live 1/1/0 k=1"]);
            (await ListAsync(harness, static request => request.Prefix = "Live")).ShouldBeEmpty();
            (await ListAsync(harness, static request => request.Labels.Add("k"))).ShouldBe(["both 4/1/1 k=2 l=", "indexed 1/1/1 k=1", "live 1/1/0 k=1"]);
            (await ListAsync(harness, static request => request.Labels.Add("k=1"))).ShouldBe(["indexed 1/1/1 k=1", "live 1/1/0 k=1"]);
            (await ListAsync(harness, static request => request.Labels.Add(["k", "l="]))).ShouldBe(["both 4/1/1 k=2 l="]);
            (await ListAsync(harness, static request => request.Labels.Add("k="))).ShouldBeEmpty();
            (await ListAsync(harness, owner: 8)).ShouldBeEmpty();
            var groups = (await PageAsync(harness, new ListGroupsRequest(), 100)).Groups.Where(group => group.Group != without).ToList();
            foreach (var group in groups)
                group.ShouldBe(await GroupAsync(harness, group.Group));
            return groups;
        }
    }

    [Fact]
    public async Task What_went_to_the_index_after_a_look_at_memory_is_not_counted_again()
    {
        using var harness = new EngineHarness();
        for (var segment = 1; segment <= 2; segment++)
        {
            await harness.SubmitAsync(segment, "g");
            await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g");
            await harness.Engine.IndexAllAsync();
        }

        Tasks(0).ShouldBeEmpty();
        Tasks(1).ShouldBe([1]);
        Tasks(2).ShouldBe([3]);

        IEnumerable<long> Tasks(long last) => harness.Store.Index.Groups(EngineHarness.Owner, "", "", last).Select(static group => group.Tasks);
    }

    [Fact]
    public async Task Each_group_comes_once_in_pages_while_groups_go_to_the_index()
    {
        using var harness = new EngineHarness();
        // Surrogates come last for the database, and before U+FF5E for .NET's ordinal order.
        string[] names = ["a", "a-b", "ab", "b", "z", "\u00e9", "\uff5e", "\ud83d\ude80"];
        foreach (var name in names)
            await SubmitAsync(harness, name, ("k", "v"));
        foreach (var labelled in (bool[])[false, true])
        {
            for (var indexAt = 0; indexAt < names.Length; indexAt++)
            {
                var listed = new List<string>();
                var request = new ListGroupsRequest();
                if (labelled)
                    request.Labels.Add("k");
                for (var page = 0; page == 0 || request.After.Length > 0; page++)
                {
                    if (page == indexAt)
                    {
                        await harness.Engine.CancelAsync(EngineHarness.Owner, [], names[indexAt]);
                        await harness.Engine.IndexAllAsync();
                    }

                    var reply = await PageAsync(harness, request, 1);
                    listed.AddRange(reply.Groups.Select(static group => group.Group));
                    request.After = reply.Next;
                }

                listed.ShouldBe(names);
            }
        }
    }

    [Fact]
    public async Task The_latest_come_first_by_their_last_submission_or_result_also_after_a_restart()
    {
        using var harness = new EngineHarness();
        var began = harness.Engine.Now;
        foreach (var name in (string[])["first", "second", "third"])
        {
            await harness.SubmitAsync(2, name);
            harness.Time.Advance(TimeSpan.FromMinutes(1));
        }

        await CheckAsync("third 2/0/0", "second 2/0/0", "first 2/0/0");
        var link = await harness.ConnectAsync();
        using (var receiver = harness.Receiver(link))
            await receiver.ReceiveAsync(EngineHarness.Message(1, (await FirstAsync(harness, "first"), 1, TaskOutcome.Value, _value)), inline: true);
        harness.Engine.Disconnect(link);
        harness.Time.Advance(TimeSpan.FromMinutes(1));
        await CheckAsync("first 2/1/0", "third 2/0/0", "second 2/0/0");
        // The last thing of "second" is a batch that goes to the index; the rest of it stays.
        var more = await harness.SubmitAsync(1, "second");
        await harness.Engine.CancelAsync(EngineHarness.Owner, [new TaskId(more.Key.Id, 0)], null);
        await harness.Engine.IndexAllAsync();
        string[] last = ["second 3/1/1", "first 2/1/0", "third 2/0/0"];
        await CheckAsync(last);
        await harness.Engine.SnapshotAsync();
        harness.Restart();
        await CheckAsync(last);
        (await PageAsync(harness, new ListGroupsRequest { Recent = true }, 2)).ToString().ShouldNotContain("third");
        var minutes = (await PageAsync(harness, new ListGroupsRequest(), 10)).Groups.ToDictionary(static group => group.Group, group => (group.LastActive - began) / 60_000_000);
        minutes.ShouldBe(new Dictionary<string, long> { ["first"] = 3, ["second"] = 4, ["third"] = 2 }, ignoreOrder: true);

        async Task CheckAsync(params string[] lines)
        {
            (await ListAsync(harness, static request => request.Recent = true)).ShouldBe(lines);
            (await ListAsync(harness, static request => (request.Recent, request.Unfinished) = (true, true))).ShouldBe(lines);
        }
    }

    [Fact]
    public async Task A_group_that_has_expired_is_listed_no_more_and_its_labels_are_gone_but_not_those_of_one_that_has_other_tasks()
    {
        using var harness = new EngineHarness(limits: new ServiceLimits { ResultRetention = TimeSpan.FromHours(2) });
        foreach (var name in (string[])["gone", "open", "again"])
        {
            await SubmitAsync(harness, name, ("k", name));
            await harness.Engine.CancelAsync(EngineHarness.Owner, [], name);
        }

        await harness.SubmitAsync(1, "open");
        await harness.Engine.IndexAllAsync();
        harness.Time.Advance(TimeSpan.FromHours(1));
        await harness.SubmitAsync(2, "again");
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "again");
        await harness.Engine.IndexAllAsync();
        (await ListAsync(harness)).ShouldBe(["again 3/3/3 k=again", "gone 1/1/1 k=gone", "open 2/1/1 k=open"]);
        await PassAsync(harness, TimeSpan.FromMinutes(70));
        (await ListAsync(harness)).ShouldBe(["again 2/2/2 k=again", "open 1/0/0 k=open"]);
        Rows(harness).ShouldBe(2);
        StoreCheckOf(harness).ShouldBeEmpty();
        (await LabelAsync(harness, "gone", Labels(("a", "1")))).Status.ShouldBe(StatusCode.NotFound);

        // The name is another group's from now on.
        await SubmitAsync(harness, "gone", ("new", ""));
        (await ListAsync(harness, static request => request.Prefix = "g")).ShouldBe(["gone 1/0/0 new="]);
        foreach (var name in (string[])["open", "again", "gone"])
            await harness.Engine.CancelAsync(EngineHarness.Owner, [], name);
        await harness.Engine.IndexAllAsync();
        await PassAsync(harness, TimeSpan.FromHours(5));
        Rows(harness).ShouldBe(0);
        (await ListAsync(harness)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_check_counts_labels_and_finds_what_the_service_would_not_have_written()
    {
        using var harness = new EngineHarness();
        await SubmitAsync(harness, "g", ("a", "1"), ("b", "2"));
        harness.Engine.Dispose();
        harness.Store.Dispose();
        (StoreCheck.Run(harness.Directory) is { Labels: 2, Problems: [] }).ShouldBeTrue();
        Execute(harness, "INSERT INTO group_label VALUES(7, 'g', 'not a key', ''), (7, 'nobodys', 'a', '1')");
        var report = StoreCheck.Run(harness.Directory);
        report.Labels.ShouldBe(4);
        report.Problems.ShouldBe(["labels of group 'g' of user 7: label key 'not a key' has ' '; letters, digits, '.', '_', '/' and '-' are right", "group 'nobodys' of user 7 has labels and no tasks"]);
        harness.Restart();
    }

    /// <summary>Time passes, and the service tidies up; some minutes more are for the house to be kept.</summary>
    private static async Task PassAsync(EngineHarness harness, TimeSpan time)
    {
        await harness.Engine.SnapshotAsync();
        harness.Time.Advance(time);
        for (var tick = 0; tick < 2; tick++)
        {
            await harness.Engine.LookAsync(static _ => true);
            await harness.Engine.SnapshotAsync();
            harness.Time.Advance(TimeSpan.FromMinutes(11));
        }

        await harness.Engine.LookAsync(static _ => true);
    }

    private static async Task<SubmissionRecord> SubmitAsync(EngineHarness harness, string group, params (string, string)[] labels)
    {
        var batch = harness.Batch(1, group) with { Labels = Labels(labels) };
        (await harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
        return batch;
    }

    private static async Task<SubmitOutcome> SubmitForAsync(EngineHarness harness, string group, params (string, string)[] labels) =>
        await harness.Engine.SubmitAsync(harness.Batch(1, group) with { Labels = Labels(labels) }, "e", "f", inline: true);

    private static async Task<SubmitOutcome> LabelAsync(EngineHarness harness, string group, Dictionary<string, string> set, params string[] remove) =>
        await harness.Engine.LabelAsync(EngineHarness.Owner, group, set, remove);

    private static async Task<GroupInfo> GroupAsync(EngineHarness harness, string name) => (await harness.TaskReader().GetGroupAsync(EngineHarness.Owner, name)).ShouldNotBeNull();

    private static Dictionary<string, string> Labels(params (string Key, string Value)[] labels) => labels.ToDictionary(static label => label.Key, static label => label.Value);

    private static async Task<TaskId> FirstAsync(EngineHarness harness, string group) =>
        await harness.Engine.LookAsync(state => new TaskId(state.Batches.Values.Where(batch => batch.Group.Name == group).MinBy(static batch => batch.Number)!.Key.Id, 0));

    /// <summary>NAME TASKS/DONE/FAILED and the labels.</summary>
    private static async Task<List<string>> ListAsync(EngineHarness harness, Action<ListGroupsRequest>? wanted = null, int owner = EngineHarness.Owner)
    {
        var request = new ListGroupsRequest();
        wanted?.Invoke(request);
        return [.. (await PageAsync(harness, request, 100, owner)).Groups.Select(static group =>
            string.Join(' ', [$"{group.Group} {group.Tasks}/{group.Done}/{group.Failed}", .. group.Labels.OrderBy(static label => label.Key, StringComparer.Ordinal).Select(static label => $"{label.Key}={label.Value}")]))];
    }

    private static async Task<ListGroupsReply> PageAsync(EngineHarness harness, ListGroupsRequest request, int limit, int owner = EngineHarness.Owner) =>
        await new GroupReader(harness.Engine).ListAsync(owner, request, [.. request.Labels.Select(static text => LabelSelector.Parse(text, out _)!.Value)], limit);

    private static SubmitRequest Request(params (string, string)[] labels)
    {
        var id = new byte[BatchId.Size];
        BatchId.New(1).Write(id);
        var request = new SubmitRequest { BatchId = Google.Protobuf.ByteString.CopyFrom(id), Group = "g", ContentType = 1, Lengths = { 1 }, Bodies = Google.Protobuf.ByteString.CopyFromUtf8("1") };
        request.Labels.Add(Labels(labels));
        return request;
    }

    private static IReadOnlyList<string> StoreCheckOf(EngineHarness harness)
    {
        harness.Engine.Dispose();
        harness.Store.Dispose();
        var problems = StoreCheck.Run(harness.Directory).Problems;
        harness.Restart();
        return problems;
    }

    private static long Rows(EngineHarness harness)
    {
        using var connection = Open(harness);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM group_label";
        return (long)command.ExecuteScalar()!;
    }

    private static void Execute(EngineHarness harness, string sql)
    {
        using var connection = Open(harness);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static SqliteConnection Open(EngineHarness harness)
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(harness.Directory, "tasks.db")};Pooling=False");
        connection.Open();
        return connection;
    }
}
