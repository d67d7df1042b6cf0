using System.Text;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Managers behind a leader: one connection for all of a world.</summary>
public sealed class EndpointLeaderTests
{
    private static readonly BatchId Batch = EndpointSystem.Batch;

    [Fact]
    public async Task Managers_behind_a_leader_have_each_their_number_tasks_functions_and_acknowledgements()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        await using var leader = await LeaderAsync(endpoint);
        var numbers = new List<int>();
        for (var member = 1u; member <= 3; member++)
            numbers.Add(await JoinAsync(leader, member));
        numbers.Distinct().Count().ShouldBe(3);
        await ReadyAsync(endpoint, 3);
        (await endpoint.Loop.DescribeAsync()).PerManager.Select(static manager => (manager.Manager, manager.Node, manager.Pid)).ShouldBe([("m1", "n1", 1), ("m2", "n2", 2), ("m3", "n3", 3)], ignoreOrder: true);
        await system.TasksAsync(0, 6);

        // Two workers each: every manager gets two, and before them what it needs to know. The function itself goes to the leader, once and before it is told to anybody.
        var (tasks, told, functions) = (new List<FrameHeader>(), new Dictionary<uint, List<FrameKind>>(), 0);
        while (tasks.Count < 6)
        {
            var (header, sent) = await leader.ReadAsync();
            if (header.Kind == FrameKind.Function && sent.Length > 0)
            {
                (header.Destination, header.Ticket).ShouldBe((0u, 0u));
                functions++;
                continue;
            }

            functions.ShouldBe(header.Kind == FrameKind.Owner ? functions : 1);
            var manager = header.Kind == FrameKind.Function ? header.Ticket : header.Destination;
            told.TryAdd(manager, []);
            told[manager].Add(header.Kind);
            if (header.Kind == FrameKind.Task)
                tasks.Add(header);
        }

        tasks.GroupBy(static task => task.Destination).ToDictionary(static group => group.Key, static group => group.Count()).ShouldBe(new Dictionary<uint, int> { [1] = 2, [2] = 2, [3] = 2 }, ignoreOrder: true);
        told.Values.ShouldAllBe(static kinds => kinds.IndexOf(FrameKind.Owner) >= 0 && kinds.IndexOf(FrameKind.Function) >= 0 && kinds.IndexOf(FrameKind.Task) == 2);

        // Results of all in one piece, each with its value; what goes to the service names no manager.
        foreach (var task in tasks)
            await leader.AnswerAsync(task, Encoding.ASCII.GetBytes($"{task.Task.Index}"));
        for (var member = 1u; member <= 3; member++)
            await leader.MarkAsync(10 + member, member);
        var results = new Dictionary<uint, string>();
        while (results.Count < 6)
        {
            var (sequence, frames) = await link.ResultsAsync();
            foreach (var (header, body) in frames)
            {
                header.Destination.ShouldBe(0u);
                results.Add(header.Task.Index, Encoding.ASCII.GetString(body.AsSpan(ResultPrefix.Size)));
            }

            // When each came as a message of its own, the fifth waits for a commit.
            await link.AckAsync(sequence);
        }

        results.ShouldAllBe(static result => result.Value == $"{result.Key}");
        var acknowledged = new Dictionary<uint, ulong>();
        while (acknowledged.Count < 3 || acknowledged.Any(static ack => ack.Value != 10 + ack.Key))
        {
            var (header, body) = await leader.ReadAsync(FrameKind.Ack);
            acknowledged[header.Destination] = BitConverter.ToUInt64(body);
        }
    }

    [Fact]
    public async Task A_manager_that_is_gone_and_back_keeps_its_tasks_and_the_others_go_on()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        await using var leader = await LeaderOfTwoAsync(endpoint);
        await system.TasksAsync(0, 4);
        var tasks = new List<FrameHeader>();
        while (tasks.Count < 4)
            tasks.Add((await leader.ReadAsync(FrameKind.Task)).Header);
        await leader.SendAsync(new FrameHeader { Kind = FrameKind.Gone, Destination = 1 }, default);

        // What was on its way of it is not taken; it comes again behind the next hello, under another number.
        var ofFirst = tasks.Where(static task => task.Destination == 1).ToList();
        await leader.AnswerAsync(ofFirst[0], "0"u8);
        foreach (var task in tasks.Where(static task => task.Destination == 2))
            await leader.AnswerAsync(task, "2"u8);
        await leader.MarkAsync(1, 2);
        var results = new List<(uint Index, TaskOutcome Outcome)>();
        while (results.Count < 2)
            results.AddRange((await link.ResultsAsync()).Frames.Select(static frame => (frame.Header.Task.Index, ResultPrefix.Read(frame.Body, frame.Body.Length).Outcome)));
        results.Select(static result => result.Index).ShouldBe(tasks.Where(static task => task.Destination == 2).Select(static task => task.Task.Index), ignoreOrder: true);

        await leader.MemberAsync("m1", 7);
        (await leader.ReadAsync(FrameKind.Welcome)).Header.Destination.ShouldBe(7u);
        await leader.InventoryAsync(7, new InventoryEntry(ofFirst[0].Task, 1, HeldState.Finished), new InventoryEntry(ofFirst[1].Task, 1, HeldState.Running));
        foreach (var task in ofFirst)
            await leader.AnswerAsync(task with { Destination = 7 }, "1"u8);
        await leader.MarkAsync(1, 7);
        while (results.Count < 4)
            results.AddRange((await link.ResultsAsync()).Frames.Select(static frame => (frame.Header.Task.Index, ResultPrefix.Read(frame.Body, frame.Body.Length).Outcome)));
        results.ShouldAllBe(static result => result.Outcome == TaskOutcome.Value);
        string.Join(" ", results.Select(static result => result.Index).Order()).ShouldBe("0 1 2 3");
    }

    [Fact]
    public async Task A_manager_that_stays_gone_costs_its_tasks_an_attempt()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        await using var leader = await LeaderAsync(endpoint);
        await JoinAsync(leader, 1);
        await system.TasksAsync(0, 1);
        await leader.ReadAsync(FrameKind.Task);
        await leader.SendAsync(new FrameHeader { Kind = FrameKind.Gone, Destination = 1 }, default);
        var (_, body) = (await link.ResultsAsync(15)).Frames.ShouldHaveSingleItem();
        ResultPrefix.Read(body, body.Length).Outcome.ShouldBe(TaskOutcome.AttemptLost);
        Encoding.UTF8.GetString(body).ShouldContain("manager m1");

        // The leader's connection has lived on, and another manager joins.
        await JoinAsync(leader, 2);
    }

    [Fact]
    public async Task When_the_leader_comes_back_its_managers_begin_anew_and_nothing_runs_twice()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        var leader = await LeaderOfTwoAsync(endpoint);
        await system.TasksAsync(0, 4);
        var tasks = new List<FrameHeader>();
        while (tasks.Count < 4)
            tasks.Add((await leader.ReadAsync(FrameKind.Task)).Header);
        await leader.DisposeAsync();

        await using var again = await LeaderAsync(endpoint);
        foreach (var member in (uint[])[2, 1])
        {
            await again.MemberAsync($"m{member}", member);
            (await again.ReadAsync(FrameKind.Welcome)).Header.Destination.ShouldBe(member);
            await again.InventoryAsync(member, [.. tasks.Where(task => task.Destination == member).Select(static task => new InventoryEntry(task.Task, 1, HeldState.Running))]);
        }

        foreach (var task in tasks)
            await again.AnswerAsync(task, "1"u8);
        await again.MarkAsync(1, 1);
        await again.MarkAsync(1, 2);
        var results = new List<uint>();
        while (results.Count < 4)
            results.AddRange((await link.ResultsAsync()).Frames.Select(static frame => frame.Header.Task.Index));
        string.Join(" ", results.Order()).ShouldBe("0 1 2 3");
    }

    [Fact]
    public async Task A_newer_connection_of_a_leader_ends_the_older_one()
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        await using var old = await LeaderAsync(endpoint);
        await JoinAsync(old, 1);
        await using var again = await LeaderAsync(endpoint);
        await Should.ThrowAsync<IOException>(() => old.ReadAsync());
        await JoinAsync(again, 1);
    }

    [Fact]
    public async Task Only_a_leader_has_managers_behind_it_and_they_are_of_its_block()
    {
        await using var system = await EndpointSystem.LinkedAsync(static c => c with { Blocks = c.Blocks with { Min = 2, Max = 2 } });
        var endpoint = system.Endpoint;
        var blocks = await endpoint.BlocksAsync(2);
        await using var leader = await DialAsync(endpoint, blocks[0]);
        await JoinAsync(leader, 1);

        // The secret of another block does not open the leader's place, nor that of its managers.
        await using (var thief = await PlayedManager.DialAsync(endpoint.Address))
        {
            await thief.HelloAsync("w1", blocks[1].Block, blocks[1].Secret, role: "leader");
            var (header, body) = await thief.ReadAsync();
            header.Kind.ShouldBe(FrameKind.Refused);
            Encoding.UTF8.GetString(body).ShouldContain($"leader 'w1' is of block '{blocks[0].Block}'");
        }

        await using (var thief = await PlayedManager.DialAsync(endpoint.Address))
        {
            await thief.HelloAsync("w2", blocks[1].Block, blocks[1].Secret, role: "leader");
            await thief.ReadAsync(FrameKind.Welcome);
            await thief.MemberAsync("m1", 5);
            var (header, body) = await thief.ReadAsync();
            (header.Kind, header.Destination).ShouldBe((FrameKind.Refused, 5u));
            Encoding.UTF8.GetString(body).ShouldContain($"manager 'm1' is of block '{blocks[0].Block}'");
        }

        await using (var alone = await endpoint.ManagerAsync("alone"))
        {
            await alone.MemberAsync("m9", 1);
            await Should.ThrowAsync<IOException>(() => alone.ReadAsync());
        }

        await using (var wrong = await DialAsync(endpoint, blocks[0], "w3"))
        {
            await wrong.MemberAsync("m9", ConnectionMembers.Largest + 1);
            await Should.ThrowAsync<IOException>(() => wrong.ReadAsync());
        }

        await using (var wrong = await DialAsync(endpoint, blocks[0], "w4"))
        {
            await wrong.InventoryAsync();
            await Should.ThrowAsync<IOException>(() => wrong.ReadAsync());
        }

        await JoinAsync(leader, 2);
    }

    [Fact]
    public async Task A_leader_s_heartbeat_speaks_for_its_managers()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var endpoint = system.Endpoint;
        await using var leader = await LeaderAsync(endpoint);
        await JoinAsync(leader, 1);

        // Longer than a manager may be silent.
        await Should.ThrowAsync<OperationCanceledException>(() => leader.ReadAsync(7));
        (await endpoint.Loop.DescribeAsync()).Managers.ShouldBe(1);
        leader.FallSilent();
        (await leader.ReadAsync(FrameKind.Refused)).Header.Destination.ShouldBe(1u);
        (await endpoint.Loop.DescribeAsync()).Managers.ShouldBe(0);
    }

    [Fact]
    public async Task An_idle_world_is_told_one_heartbeat_a_second_whatever_its_size()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var endpoint = system.Endpoint;
        await using var leader = await LeaderAsync(endpoint);
        for (var member = 1u; member <= 50; member++)
            await JoinAsync(leader, member);
        var heartbeats = new List<uint>();
        leader.OnHeartbeat = header => heartbeats.Add(header.Destination);
        await Should.ThrowAsync<OperationCanceledException>(() => leader.ReadAsync(3.5));
        heartbeats.Count.ShouldBeInRange(1, 5);
        heartbeats.ShouldAllBe(static destination => destination == 0);
    }

    [Fact]
    public async Task A_manager_that_says_it_drains_gets_nothing_more()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var endpoint = system.Endpoint;
        await using var leader = await LeaderOfTwoAsync(endpoint);
        await leader.SendAsync(new FrameHeader { Kind = FrameKind.Status, ContentType = ContentType.Json, Destination = 1 }, Encoding.UTF8.GetBytes("""{"workers": 0, "busy": 0, "queued": 0, "note": "", "draining": true}"""));
        await Eventually.True(() => endpoint.Loop.DescribeAsync().AsTask().Result.Managers == 1);

        await system.TasksAsync(0, 2);
        for (var task = 0; task < 2; task++)
            (await leader.ReadAsync(FrameKind.Task)).Header.Destination.ShouldBe(2u);
    }

    [Fact]
    public async Task What_is_connected_of_a_block_that_has_ended_is_told_to_leave_gets_nothing_more_and_nobody_joins_it()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var (endpoint, link) = (system.Endpoint, system.Link);
        var (block, secret) = await endpoint.BlockAsync();
        await using var leader = await DialAsync(endpoint, (block, secret));
        await JoinAsync(leader, 1);
        await using var agent = await PlayedManager.DialAsync(endpoint.Address);
        await agent.HelloAsync("a1", block, secret, role: "agent");
        await agent.ReadAsync(FrameKind.Welcome);
        await using var manager = await PlayedManager.DialAsync(endpoint.Address);
        await manager.HelloAsync("m9", block, secret);
        await manager.ReadAsync(FrameKind.Welcome);
        await ReadyAsync(endpoint, 1);
        await system.TasksAsync(0, 1);
        var (task, _) = await leader.ReadAsync(FrameKind.Task);

        endpoint.Provider.End(block);
        foreach (var peer in (PlayedManager[])[leader, agent, manager])
            (await peer.ReadAsync(FrameKind.Drain)).Header.Destination.ShouldBe(0u);

        // Neither one whose inventory comes only now nor another rank of the world makes it a block again.
        await manager.InventoryAsync();
        await leader.MemberAsync("m2", 2);
        var (header, body) = await leader.ReadAsync();
        (header.Kind, header.Destination).ShouldBe((FrameKind.Refused, 2u));
        Encoding.UTF8.GetString(body).ShouldContain($"block '{block}' has ended");

        // Another block comes in its place, which alone may be there, and has what comes from now on.
        await Eventually.True(() => endpoint.Blocks.Current() is [{ BlockId: var other }] && other != block);
        var fresh = endpoint.Blocks.Current()[0].BlockId;
        var (_, its) = (await endpoint.BlocksAsync(1)).Single(known => known.Block == fresh);
        await using var successor = await PlayedManager.DialAsync(endpoint.Address);
        await successor.HelloAsync("m3", fresh, its);
        await successor.ReadAsync(FrameKind.Welcome);
        await successor.InventoryAsync();
        await link.TasksAsync(Batch, 1, 2, 8);
        for (var i = 0; i < 2; i++)
            (await successor.ReadAsync(FrameKind.Task)).Header.Task.Index.ShouldBe(1u + (uint)i);
        (await endpoint.Loop.DescribeAsync()).BlocksRunning.ShouldBe(1);

        // What was begun is finished.
        await leader.AnswerAsync(task, "7"u8);
        await leader.MarkAsync(1, 1);
        (await link.ResultsAsync()).Frames.ShouldHaveSingleItem().Header.Task.ShouldBe(task.Task);
    }

    [Fact]
    public async Task Agents_of_several_blocks_are_shown_together_and_of_many_nodes_that_were_given_up_the_first_by_name()
    {
        await using var system = await EndpointSystem.LinkedAsync(static c => c with { Blocks = c.Blocks with { Min = 2, Max = 2 } });
        var endpoint = system.Endpoint;
        var blocks = await endpoint.BlocksAsync(2);
        await using var first = await SayAsync(0, """{"worlds_running": 3, "worlds_waiting": 1, "nodes_given_up": ["a1"], "note": ""}""");
        await using var second = await SayAsync(1, $$"""{"worlds_running": 4, "worlds_waiting": 2, "nodes_given_up": [{{string.Join(", ", Enumerable.Range(1, 24).Select(static node => $"\"b{node}\""))}}], "note": "world 2 ended"}""");
        await Eventually.True(() => endpoint.Loop.DescribeAsync().AsTask().Result is { WorldsRunning: 7, WorldsWaiting: 3, NodesGivenUp.Length: > 2 });
        var named = (await endpoint.Loop.DescribeAsync()).NodesGivenUp;
        named.ShouldContain("a1");
        named.ShouldContain("b1, b2, ");
        named.ShouldEndWith(" and 5 more");

        async Task<PlayedManager> SayAsync(int block, string json)
        {
            var agent = await PlayedManager.DialAsync(endpoint.Address);
            await agent.HelloAsync($"a{block}", blocks[block].Block, blocks[block].Secret, role: "agent");
            await agent.ReadAsync(FrameKind.Welcome);
            await agent.SendAsync(new FrameHeader { Kind = FrameKind.Status, ContentType = ContentType.Json }, Encoding.UTF8.GetBytes(json));
            return agent;
        }
    }

    [Theory]
    [InlineData(false, 12)]
    [InlineData(true, 9)]
    public void A_block_has_as_many_managers_less_as_it_has_leaders_without_workers(bool leaderOnly, int managers)
    {
        var configuration = EndpointConfigurationFile.Parse("x.yaml", $$"""
            name: a
            service: https://x.org
            state_dir: /tmp/a
            provider: {type: local, nodes: 4}
            transport: mpi
            launcher: {ranks_per_world: 4, leader_only: {{(leaderOnly ? "true" : "false")}}}
            workers: {per_node: 1, simulate: true, managers_per_node: 3}
            """).Value!;
        DispatchServices.SettingsOf(configuration).ManagersPerBlock.ShouldBe(managers);
    }

    [Fact]
    public async Task An_agent_is_told_how_to_launch_and_what_it_says_is_shown_while_it_is_there()
    {
        await using var system = await EndpointSystem.LinkedAsync(static c => c with
        {
            Launcher = new LauncherConfiguration { Type = LauncherKind.Mpiexec, RanksPerWorld = 64, Arguments = ["-prepend-rank"], LeaderOnly = true },
        });
        var endpoint = system.Endpoint;
        var (block, secret) = await endpoint.BlockAsync();
        var agent = await PlayedManager.DialAsync(endpoint.Address);
        await agent.HelloAsync("a1", block, secret, role: "agent");
        var welcome = JsonDocument.Parse((await agent.ReadAsync(FrameKind.Welcome)).Body).RootElement;
        welcome.GetProperty("block").ToString().ShouldBe("""{"launcher":"mpiexec","ranks_per_world":64,"arguments":["-prepend-rank"],"leader_only":true}""");
        welcome.TryGetProperty("workers", out _).ShouldBeFalse();

        await SayAsync("""{"worlds_running": 3, "worlds_waiting": 1, "nodes_given_up": ["n3", "n7"], "note": "world 2 ended: exit code 1"}""");
        await Eventually.True(() => Seen() is (3, 1, "n3, n7", "n1: world 2 ended: exit code 1"));
        (await endpoint.Loop.DescribeAsync()).AgentNotes.ShouldBe([KeyValuePair.Create(block, "world 2 ended: exit code 1")]);
        await SayAsync("""{"worlds_running": 4, "worlds_waiting": 0, "nodes_given_up": null, "note": null}""");
        await Eventually.True(() => Seen() is (4, 0, "", not "n1: world 2 ended: exit code 1"));
        (await endpoint.Loop.DescribeAsync()).AgentNotes.ShouldBeEmpty();

        // A leader of the same block adds nothing to it, and the agent's end takes it away.
        await using var leader = await LeaderAsync(endpoint);
        Seen().Running.ShouldBe(4);
        await agent.DisposeAsync();
        await Eventually.True(() => Seen().Running == 0);

        foreach (var (header, body) in ((FrameHeader, byte[])[])[
            (new FrameHeader { Kind = FrameKind.Hello, Destination = 1 }, "{}"u8.ToArray()),
            (new FrameHeader { Kind = FrameKind.Inventory, Flags = FrameFlags.Last }, []),
            (new FrameHeader { Kind = FrameKind.Status }, "no json"u8.ToArray())])
        {
            await using var wrong = await PlayedManager.DialAsync(endpoint.Address);
            await wrong.HelloAsync("a2", block, secret, role: "agent");
            await wrong.ReadAsync(FrameKind.Welcome);
            await wrong.SendAsync(header, body);
            await Should.ThrowAsync<IOException>(() => wrong.ReadAsync());
        }

        Task SayAsync(string json) => agent.SendAsync(new FrameHeader { Kind = FrameKind.Status, ContentType = ContentType.Json }, Encoding.UTF8.GetBytes(json));

        (int Running, int Waiting, string GivenUp, string Note) Seen()
        {
            var now = endpoint.Loop.DescribeAsync().AsTask().Result;
            return (now.WorldsRunning, now.WorldsWaiting, now.NodesGivenUp, now.Note);
        }
    }

    [Fact]
    public async Task Whoever_dials_in_from_a_block_hears_when_its_job_ends_and_hears_it_again_when_that_is_later()
    {
        await using var system = await EndpointSystem.LinkedAsync();
        var endpoint = system.Endpoint;
        var (block, secret) = await endpoint.BlockAsync();
        await using var leader = await DialAsync(endpoint, (block, secret));
        await JoinAsync(leader, 1);
        var endsAt = new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);
        endpoint.Provider.EndsAt = endsAt;
        (await HearAsync(leader)).ShouldBe((0u, endsAt));
        (await HearAsync(leader)).ShouldBe((1u, endsAt));
        foreach (var role in (string[])["agent", "manager"])
        {
            await using var later = await PlayedManager.DialAsync(endpoint.Address);
            await later.HelloAsync(role, block, secret, role: role);
            (await HearAsync(later)).ShouldBe((0u, endsAt));
        }

        // A scheduler's word on what is left is never the same to the second.
        endpoint.Provider.EndsAt = endsAt.AddSeconds(10);
        var queries = endpoint.Provider.Queries;
        await Eventually.True(() => endpoint.Provider.Queries > queries + 1);
        endpoint.Provider.EndsAt = endsAt.AddHours(1);
        (await HearAsync(leader)).ShouldBe((0u, endsAt.AddHours(1)));

        static async Task<(uint Destination, DateTimeOffset EndsAt)> HearAsync(PlayedManager peer)
        {
            var (header, _) = await peer.ReadAsync(FrameKind.Ends);
            return (header.Destination, DateTimeOffset.UnixEpoch.AddMicroseconds(header.DeadlineMicroseconds));
        }
    }

    [Fact]
    public async Task Files_to_stage_are_told_to_leaders_and_managers_and_what_these_say_of_them_is_shown_with_the_block()
    {
        await using var system = await EndpointSystem.LinkedAsync(static c => c with
        {
            StageIn = ["/data/model.bin"],
            Containers = c.Containers with { Cache = new ContainerCacheConfiguration { Directory = "/scratch", Size = 1 << 30 } },
        });
        var endpoint = system.Endpoint;
        var (block, secret) = await endpoint.BlockAsync();
        await using var leader = await PlayedManager.DialAsync(endpoint.Address);
        await leader.HelloAsync("w1", block, secret, role: "leader");
        StageOf(await leader.ReadAsync(FrameKind.Welcome)).ShouldBe("""{"files":["/data/model.bin"],"cache":"/scratch","cache_bytes":1073741824}""");
        await leader.MemberAsync("m1", 1);
        StageOf(await leader.ReadAsync(FrameKind.Welcome)).ShouldContain("model.bin");
        await leader.MemberAsync("m2", 2);
        StageOf(await leader.ReadAsync(FrameKind.Welcome)).ShouldContain("model.bin");
        await using var agent = await PlayedManager.DialAsync(endpoint.Address);
        await agent.HelloAsync("a1", block, secret, role: "agent");
        JsonDocument.Parse((await agent.ReadAsync(FrameKind.Welcome)).Body).RootElement.TryGetProperty("stage", out _).ShouldBeFalse();
        (await Seen()).ShouldBe((null, 0, ""));

        await SayAsync(1, 40, "no such file");
        await SayAsync(2, 10, "");
        await Eventually.True(() => Seen().Result is ({ Managers: 2, ManagersDone: 0, Files: 2, FilesDone: 0, Bytes: 200, BytesDone: 50, Problem: "n1: no such file" }, 0, "stage_in: n1: no such file"));
        await SayAsync(1, 100, "");
        await leader.InventoryAsync(1);
        await Eventually.True(() => Seen().Result is ({ Managers: 2, ManagersDone: 1, FilesDone: 1, BytesDone: 110, Problem: "" }, 1, ""));

        static string StageOf((FrameHeader Header, byte[] Body) welcome) => JsonDocument.Parse(welcome.Body).RootElement.GetProperty("stage").ToString();

        Task SayAsync(uint member, int done, string problem) => leader.SendAsync(
            new FrameHeader { Kind = FrameKind.Status, ContentType = ContentType.Json, Destination = member },
            JsonSerializer.SerializeToUtf8Bytes(new { note = "", staging = new { files = 1, files_done = done / 100, bytes = 100, bytes_done = done, problem } }));

        async Task<(BlockStaging? Staging, int Ready, string Note)> Seen()
        {
            var now = await endpoint.Loop.DescribeAsync();
            return (now.Staging.GetValueOrDefault(block), now.Managers, now.Note.StartsWith("stage_in", StringComparison.Ordinal) ? now.Note : "");
        }
    }

    internal static async Task<PlayedManager> LeaderAsync(EndpointHarness endpoint) => await DialAsync(endpoint, await endpoint.BlockAsync());

    // With two managers that take tasks.
    private static async Task<PlayedManager> LeaderOfTwoAsync(EndpointHarness endpoint)
    {
        var leader = await LeaderAsync(endpoint);
        await JoinAsync(leader, 1);
        await JoinAsync(leader, 2);
        await ReadyAsync(endpoint, 2);
        return leader;
    }

    private static async Task<PlayedManager> DialAsync(EndpointHarness endpoint, (string Block, string Secret) block, string world = "w1")
    {
        var leader = await PlayedManager.DialAsync(endpoint.Address);
        await leader.HelloAsync(world, block.Block, block.Secret, role: "leader");
        var (header, body) = await leader.ReadAsync();
        (header.Kind, header.Destination).ShouldBe((FrameKind.Welcome, 0u));
        JsonDocument.Parse(body).RootElement.TryGetProperty("workers", out _).ShouldBeFalse();
        return leader;
    }

    // Their inventories are read: all of them take tasks.
    private static async Task ReadyAsync(EndpointHarness endpoint, int managers)
    {
        var ready = 0;
        while (ready < managers)
        {
            await Task.Delay(5);
            ready = (await endpoint.Loop.DescribeAsync()).PerManager.Count;
        }
    }

    internal static async Task<int> JoinAsync(PlayedManager leader, uint member)
    {
        await leader.MemberAsync($"m{member}", member);
        var (header, body) = await leader.ReadAsync(FrameKind.Welcome);
        header.Destination.ShouldBe(member);
        await leader.InventoryAsync(member);
        var welcome = JsonDocument.Parse(body).RootElement;
        welcome.GetProperty("workers").GetProperty("per_node").GetInt32().ShouldBe(2);
        return welcome.GetProperty("number").GetInt32();
    }
}
