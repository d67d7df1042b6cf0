using FuncX.Cluster;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Tests.Integration.Harness;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>The PBS and Cobalt providers against commands that run the jobs and answer as the recordings do.</summary>
public sealed class PlayedSchedulerTests : IAsyncDisposable
{
    private const string Patient = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    private readonly BlockScratch _scratch = new();
    private readonly List<(PlayedScheduler Played, SubmittedBlock Block)> _submitted = [];
    private readonly List<PlayedScheduler> _played = [];

    public static TheoryData<string> Kinds => ["pbs", "cobalt"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_block_is_one_manager_on_each_node_and_ends_when_it_is_told_to(string kind)
    {
        var played = Played(kind);
        var provider = played.Provider();
        var block = await SubmitAsync(played, provider, _scratch.Block(Patient, nodes: 3) with { Init = kind == "cobalt" ? played.Init : "" });
        await StateAsync(block, BlockState.Running);
        var first = kind == "pbs" ? 2 : 0;
        for (var node = first; node < first + 3; node++)
        {
            var directory = $"node-{node}";
            await Eventually.TrueAsync(() => BlockScratch.Arguments(block.Block, directory).Length == 8, $"manager {node} runs", seen: () => Report(block));
            BlockScratch.Arguments(block.Block, directory)[..3].ShouldBe(["--rendezvous", block.Block.Rendezvous, "--node"]);
            BlockScratch.Arguments(block.Block, directory)[5..].ShouldBe([Path.Combine(block.Block.Directory, directory), "--walltime", "600"]);
        }

        (await provider.FindAsync(block.Block, TestContext.Current.CancellationToken)).ShouldBe(block.JobId);

        await provider.CancelAsync(block, TestContext.Current.CancellationToken);

        await StateAsync(block, BlockState.Cancelled);
        _scratch.IsInjected.ShouldBeFalse();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_block_whose_managers_leave_is_completed_and_one_that_fails_says_how(string kind)
    {
        var played = Played(kind);
        var provider = played.Provider();
        var (left, failed) = (await SubmitAsync(played, provider, _scratch.Block("exit 0")), await SubmitAsync(played, provider, _scratch.Block("echo the disk is gone; exit 3")));
        await StateAsync(left, BlockState.Completed);
        await StateAsync(failed, BlockState.Failed);
        var reason = (await StatusAsync(played.Provider(), failed)).Reason;
        reason.ShouldContain("exit status 3");
        reason.ShouldContain("the disk is gone");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_block_that_waits_for_nodes_is_pending_and_one_that_is_over_its_walltime_has_timed_out(string kind)
    {
        var played = Played(kind);
        played.Configure("{\"nodes\": 2, \"seconds_per_minute\": 1.2}");
        var provider = played.Provider(TimeSpan.FromMinutes(5));
        var init = kind == "cobalt" ? played.Init : "";
        var first = await SubmitAsync(played, provider, _scratch.Block(Patient, nodes: 2) with { Init = init });
        await StateAsync(first, BlockState.Running);
        var second = await SubmitAsync(played, provider, _scratch.Block("exit 0", nodes: 2) with { Init = init });
        (await StatusesAsync(played.Provider(), first, second))[1].State.ShouldBe(BlockState.Pending);
        await StateAsync(first, BlockState.TimedOut);
        await StateAsync(second, BlockState.Completed);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_queue_that_does_not_exist_is_refused_with_the_key_to_look_at(string kind)
    {
        var played = Played(kind);
        var refusal = await Should.ThrowAsync<BlockProviderException>(() => SubmitAsync(played, played.Provider(queue: "nosuch"), _scratch.Block(Patient)));
        refusal.ShouldNotBeOfType<BlockSubmissionUnclearException>();
        refusal.Message.ShouldContain("qsub refused block");
        refusal.Message.ShouldEndWith("Check provider.queue");
    }

    /// <summary>The fake commands take the options of the manual pages and no others.</summary>
    [Theory]
    [InlineData("pbs", "-Z x")]
    [InlineData("pbs", "--nosuch")]
    [InlineData("cobalt", "-Z x")]
    [InlineData("cobalt", "--nosuch")]
    public async Task An_option_that_no_manual_page_has_is_refused_with_the_key_to_look_at(string kind, string directive)
    {
        var played = Played(kind);
        var block = _scratch.Block(Patient);
        var refusal = await Should.ThrowAsync<BlockProviderException>(() => SubmitAsync(played, played.Provider(directives: [directive]), block));
        refusal.ShouldNotBeOfType<BlockSubmissionUnclearException>();
        refusal.Message.ShouldContain(directive.Split(' ')[0]);
        refusal.Message.ShouldEndWith("Check provider.directives");
        (await played.Provider().FindAsync(block, TestContext.Current.CancellationToken)).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_account_that_may_not_submit_is_refused_with_the_key_to_look_at(string kind)
    {
        var played = Played(kind);
        played.Configure("{\"accounts\": [\"physics\"]}");
        var refusal = await Should.ThrowAsync<BlockProviderException>(() => SubmitAsync(played, played.Provider(account: "phyics"), _scratch.Block(Patient)));
        refusal.ShouldNotBeOfType<BlockSubmissionUnclearException>();
        refusal.Message.ShouldContain("No active allocation found for project phyics");
        refusal.Message.ShouldEndWith("Check provider.account");
        await StateAsync(await SubmitAsync(played, played.Provider(account: "physics"), _scratch.Block(Patient)), BlockState.Running);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_block_that_somebody_deleted_is_cancelled_whether_it_ran_or_not(string kind)
    {
        var played = Played(kind);
        played.Configure("{\"nodes\": 1}");
        var provider = played.Provider();
        var (running, waiting) = (await SubmitAsync(played, provider, _scratch.Block(Patient)), await SubmitAsync(played, provider, _scratch.Block(Patient)));
        await RunsAsync(running);
        foreach (var block in (SubmittedBlock[])[waiting, running])
        {
            (await played.RunAsync(new SchedulerCommand("qdel", block.JobId), "/", TestContext.Current.CancellationToken)).ExitCode.ShouldBe(0);
            await StateAsync(block, BlockState.Cancelled);
        }
    }

    [Fact]
    public async Task A_block_that_an_operator_runs_anew_waits_and_runs_under_the_same_id()
    {
        var played = Played("pbs");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        await RunsAsync(block);
        Forget(block);
        (await played.RunAsync(new SchedulerCommand("qrerun", block.JobId), "/", TestContext.Current.CancellationToken)).ExitCode.ShouldBe(0);
        await RunsAsync(block);
        (await StatusAsync(played.Provider(), block)).Reason.ShouldContain("started 2 times");
    }

    [Fact]
    public async Task A_block_whose_node_died_waits_for_others_under_the_same_id()
    {
        var played = Played("pbs");
        played.Configure("{\"nodes\": 1}");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        await RunsAsync(block);
        Forget(block);
        using (played.WithoutNode("m1"))
        {
            await StateAsync(block, BlockState.Pending);
            await Eventually.TrueAsync(async () => (await StatusAsync(played.Provider(), block)).Reason == "Not Running: Not enough free nodes available; it ran once before", "the comment is shown");
        }

        await RunsAsync(block);
    }

    /// <summary>The methods of <c>preempt_order</c>: the first one that the job allows.</summary>
    [Theory]
    [InlineData("SCR", "", BlockState.Running, "suspended")]
    [InlineData("CRD", "", BlockState.Pending, "it ran once before")]
    [InlineData("CRD", "-r n", BlockState.Cancelled, "terminated by root@head")]
    public async Task A_block_makes_room_for_an_express_queue_and_has_its_nodes_back_unless_it_is_deleted(string order, string directive, BlockState meanwhile, string words)
    {
        var played = Played("pbs");
        played.Configure($"{{\"nodes\": 1, \"queues\": [\"workq\", \"express\"], \"express\": [\"express\"], \"preempt_order\": \"{order}\"}}");
        var block = await SubmitAsync(played, played.Provider(directives: directive.Length > 0 ? [directive] : []), _scratch.Block(Patient));
        await RunsAsync(block);
        Forget(block);
        var express = played.Provider(queue: "express");
        var other = await SubmitAsync(played, express, _scratch.Block(Patient));
        await RunsAsync(other);
        await StateAsync(block, meanwhile);
        await Eventually.TrueAsync(async () => (await StatusAsync(played.Provider(), block)).Reason.Contains(words, StringComparison.Ordinal), $"its reason has '{words}'");
        (await StatusAsync(played.Provider(), block)).Suspended.ShouldBe(order == "SCR");
        await express.CancelAsync(other, TestContext.Current.CancellationToken);
        await StateAsync(other, BlockState.Cancelled);
        if (meanwhile == BlockState.Cancelled)
            return;
        if (meanwhile == BlockState.Pending)
            await RunsAsync(block);
        await Eventually.TrueAsync(async () => await StatusAsync(played.Provider(), block) is { State: BlockState.Running, Suspended: false, Reason: "" or "started 2 times; a prologue that fails starts it for ever" }, "it runs on");
    }

    [Fact]
    public async Task A_block_that_an_operator_of_Cobalt_preempts_waits_and_runs_under_the_same_id()
    {
        var played = Played("cobalt");
        played.Configure("{\"nodes\": 1}");
        var block = await SubmitAsync(played, played.Provider(directives: ["--preemptable"]), _scratch.Block(Patient));
        await RunsAsync(block);
        Forget(block);
        var other = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        (await played.RunAsync(new SchedulerCommand("cqadm", "--preempt", block.JobId), "/", TestContext.Current.CancellationToken)).ExitCode.ShouldBe(0);
        await StateAsync(block, BlockState.Pending);
        (await StatusAsync(played.Provider(), block)).Reason.ShouldBe("preempted");
        await RunsAsync(other);
        (await played.RunAsync(new SchedulerCommand("cqadm", "--preempt", other.JobId), "/", TestContext.Current.CancellationToken)).Said.ShouldContain("Only preemptable jobs may be preempted");
        await played.Provider().CancelAsync(other, TestContext.Current.CancellationToken);
        await RunsAsync(block);
    }

    [Theory]
    [InlineData("pbs", "m1", "-r n", "a node failed")]
    [InlineData("cobalt", "c1", "", "exit status 137")]
    public async Task A_block_whose_node_died_has_failed_where_the_scheduler_runs_no_job_twice(string kind, string node, string directive, string words)
    {
        var played = Played(kind);
        var block = await SubmitAsync(played, played.Provider(directives: directive.Length > 0 ? [directive] : []), _scratch.Block(Patient));
        await RunsAsync(block);
        using (played.WithoutNode(node))
        {
            await StateAsync(block, BlockState.Failed);
            (await StatusAsync(played.Provider(), block)).Reason.ShouldContain(words);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_server_that_is_away_changes_nothing_and_is_asked_less_and_less_often(string kind)
    {
        var played = Played(kind);
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        await StateAsync(block, BlockState.Running);
        var time = new FakeTimeProvider();
        var provider = new BatchProvider(played.Scheduler(), played, TimeSpan.FromSeconds(10), time);
        using (played.Without())
        {
            foreach (var seconds in (int[])[20, 40, 80, 160, 300, 300])
            {
                (await Should.ThrowAsync<BlockProviderException>(() => StatusAsync(provider, block))).Message.ShouldContain($"tried again in {seconds} s");
                played.Commands.Clear();
                (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
                played.Commands.ShouldBeEmpty("nothing is asked before its time");
                time.Advance(TimeSpan.FromSeconds(seconds));
            }

            await Should.ThrowAsync<BlockProviderException>(() => provider.CancelAsync(block, TestContext.Current.CancellationToken));
            await Should.ThrowAsync<BlockProviderException>(() => provider.FindAsync(block.Block, TestContext.Current.CancellationToken));
            await Should.ThrowAsync<BlockProviderException>(() => provider.SubmitAsync(_scratch.Block(Patient), TestContext.Current.CancellationToken));
        }

        (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Running);
        provider.PollInterval.ShouldBe(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_command_that_never_returns_is_ended_and_ends_no_block()
    {
        var played = Played("cobalt");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        using (played.Without("hung"))
            (await Should.ThrowAsync<BlockProviderException>(() => StatusAsync(new BatchProvider(played.Scheduler(), played.Hasty, TimeSpan.FromSeconds(1), TimeProvider.System), block))).Message.ShouldContain("no answer within 2 s");
        await StateAsync(block, BlockState.Running);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_job_that_nobody_knows_any_more_is_lost_after_a_minute_and_never_completed(string kind)
    {
        var played = Played(kind);
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        await StateAsync(block, BlockState.Running);
        await played.Provider().CancelAsync(block, TestContext.Current.CancellationToken);
        await StateAsync(block, BlockState.Cancelled);
        await Eventually.TrueAsync(() => File.Exists(Path.Combine(block.Block.Directory, "exit")), "its script is over");
        played.Forget();
        foreach (var trace in Directory.EnumerateFiles(block.Block.Directory, "*.cobaltlog").Append(Path.Combine(block.Block.Directory, "exit")).ToList())
            File.Delete(trace);
        var time = new FakeTimeProvider();
        var provider = new BatchProvider(played.Scheduler(), played, TimeSpan.FromSeconds(10), time);
        for (var second = 0; second < 60; second += 10)
        {
            (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
            time.Advance(TimeSpan.FromSeconds(10));
        }

        (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Lost);
        File.WriteAllText(Path.Combine(block.Block.Directory, "exit"), "7\n");
        time.Advance(TimeSpan.FromSeconds(10));
        var status = await StatusAsync(provider, block);
        status.State.ShouldBe(BlockState.Failed, "the script's own last word counts when nobody else has one");
        status.Reason.ShouldContain("exit status 7");
    }

    /// <summary>As a PBS server is when nobody has set <c>job_history_enable</c>.</summary>
    [Fact]
    public async Task Without_job_history_blocks_are_found_by_their_names_and_jobs_that_no_block_has_are_ended()
    {
        const string Owner = "9999999999";
        var played = Played("pbs");
        played.Configure("{\"history\": false}");
        var provider = played.Provider();
        var kept = await SubmitAsync(played, provider, _scratch.Block(Patient, owner: Owner));
        var orphan = await SubmitAsync(played, provider, _scratch.Block(Patient, owner: Owner));
        await RunsAsync(kept);
        await RunsAsync(orphan);
        (await played.Provider().FindAsync(kept.Block, TestContext.Current.CancellationToken)).ShouldBe(kept.JobId);
        (await played.Provider().EndOrphansAsync(Owner, new HashSet<string> { kept.Block.BlockId }, _scratch.Home, TestContext.Current.CancellationToken)).ShouldBe([orphan.JobId]);
        // Its end is in no history, and the status 0 of its script completes nothing.
        await StateAsync(orphan, BlockState.Lost);
        await StateAsync(kept, BlockState.Running);
        await provider.CancelAsync(kept, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => (await StatusAsync(provider, kept)).State == BlockState.Cancelled, "who has ended it knows how it ended");
    }

    [Fact]
    public async Task Without_job_history_the_scripts_own_word_counts_and_without_that_a_block_is_lost_after_a_minute()
    {
        var played = Played("pbs");
        played.Configure("{\"history\": false}");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block("echo the disk is gone; exit 3"));
        await StateAsync(block, BlockState.Failed);
        var reason = (await StatusAsync(played.Provider(), block)).Reason;
        reason.ShouldContain("its script left exit status 3");
        reason.ShouldContain("the disk is gone");
        File.Delete(Path.Combine(block.Block.Directory, "exit"));
        var time = new FakeTimeProvider();
        var provider = new BatchProvider(played.Scheduler(), played, TimeSpan.FromSeconds(10), time);
        for (var second = 0; second < 60; second += 10)
        {
            (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
            time.Advance(TimeSpan.FromSeconds(10));
        }

        played.Commands.Clear();
        (await StatusAsync(provider, block)).State.ShouldBe(BlockState.Lost);
        played.Commands.ShouldBe([$"qstat -f {block.JobId}"], "what the server does not have is not asked for at every poll");
    }

    [Theory]
    [LongData(true, "qstat -x -f ")]
    [LongData(false, "qstat -f ")]
    public async Task Twenty_jobs_that_PBS_has_forgotten_are_one_question(bool history, string question)
    {
        var played = Played("pbs");
        played.Configure($"{{\"history\": {(history ? "true" : "false")}}}");
        var submitting = played.Provider(directives: ["-h"]);
        var blocks = new List<SubmittedBlock>();
        for (var i = 0; i < 20; i++)
            blocks.Add(await SubmitAsync(played, submitting, _scratch.Block(Patient)));
        var time = new FakeTimeProvider();
        var provider = new BatchProvider(played.Scheduler(), played, TimeSpan.FromSeconds(10), time);
        played.Commands.Clear();
        (await StatusesAsync(provider, [.. blocks])).ShouldAllBe(static status => status.State == BlockState.Pending);
        played.Commands.Count.ShouldBe(history ? 1 : 3, "that a server has neither history nor JSON of it is heard once, and not of every job");
        played.Forget();
        for (var second = 0; second <= 60; second += 10)
        {
            time.Advance(TimeSpan.FromSeconds(10));
            played.Commands.Clear();
            (await StatusesAsync(provider, [.. blocks])).ShouldAllBe(status => status.State == (second < 60 ? BlockState.Unknown : BlockState.Lost));
            played.Commands.ShouldHaveSingleItem().ShouldStartWith(question);
        }
    }

    [Fact]
    public async Task Variables_reach_a_job_of_Cobalt_whatever_they_hold_and_beside_those_of_the_users_own_lines()
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["A"] = "x:B=y", ["PLACES"] = "{0:4},{4:4}", ["QUOTED"] = "it's \"two words\" $(touch INJECTED)", ["EQUALS"] = "=a=b\\=c", ["SLASHES"] = @"\\server\x:y", ["PLAIN"] = "1",
        };
        var played = Played("cobalt");
        var block = await SubmitAsync(played, played.Provider(environment, "--env OWN=line"), _scratch.Block("env -0 >\"$6.environment\""));
        await StateAsync(block, BlockState.Completed);
        var seen = File.ReadAllText(Path.Combine(block.Block.Directory, "node-0.environment")).Split('\0');
        foreach (var (name, value) in environment)
            seen.ShouldContain($"{name}={value}");
        seen.ShouldContain("OWN=line");
        seen.ShouldNotContain(static variable => variable.StartsWith("B=", StringComparison.Ordinal));
        _scratch.IsInjected.ShouldBeFalse();
    }

    [Fact]
    public async Task A_variable_that_Cobalt_refuses_names_the_key()
    {
        var played = Played("cobalt");
        var refusal = await Should.ThrowAsync<BlockProviderException>(() => SubmitAsync(played, played.Provider(directives: ["--env NOVALUE"]), _scratch.Block(Patient)));
        refusal.Message.ShouldContain("Improperly formatted argument to env : ['NOVALUE']");
        refusal.Message.ShouldEndWith("Check provider.environment");
    }

    /// <summary>On a Cray, beside the nodes.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_manager_is_started_where_none_of_the_jobs_nodes_is_and_the_cure_is_said(int nodes)
    {
        var played = Played("cobalt");
        played.Configure("{\"alps\": true}");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient, nodes));
        await StateAsync(block, BlockState.Failed);
        var reason = (await StatusAsync(played.Provider(), block)).Reason;
        reason.ShouldContain($"nothing is in PATH that reaches the job's nodes ({(nodes == 1 ? "1" : "1,2")}) from ");
        reason.ShouldContain("PATH in provider.init");
        Directory.EnumerateFiles(block.Block.Directory, "*.arguments").ShouldBeEmpty();

        var cured = await SubmitAsync(played, played.Provider(), _scratch.Block("echo \"$ALPS_APP_PE\" >\"$6.number\"", nodes) with { Init = played.Init });
        await StateAsync(cured, BlockState.Completed);
        for (var node = 0; node < nodes; node++)
            File.ReadAllText(Path.Combine(cured.Block.Directory, $"node-{node}.number")).ShouldBe($"{node}\n");
    }

    /// <summary>On a cluster, whose script runs on the first node. What names another machine may name this one all the same, which only the user knows.</summary>
    [Theory]
    [InlineData("HOST.example.org", "", BlockState.Completed)]
    [InlineData("HOST-ib0", "", BlockState.Failed)]
    [InlineData("HOST-ib0", "export COBALT_PARTNAME=$HOSTNAME", BlockState.Completed)]
    public async Task One_node_of_a_cluster_needs_no_launcher_when_it_is_the_one_that_the_script_runs_on(string name, string init, BlockState expected)
    {
        var played = Played("cobalt");
        played.Configure($"{{\"hosts\": [\"{name.Replace("HOST", Environment.MachineName, StringComparison.Ordinal)}\"]}}");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block("exit 0") with { Init = init });
        await StateAsync(block, expected);
        File.Exists(Path.Combine(block.Block.Directory, "node-0.arguments")).ShouldBe(expected == BlockState.Completed);
    }

    [Theory]
    [InlineData("pbs")]
    [LongData("cobalt")]
    public async Task Twenty_blocks_are_one_question(string kind)
    {
        var played = Played(kind);
        played.Configure("{\"nodes\": 2}");
        var provider = played.Provider();
        var blocks = new List<SubmittedBlock>();
        for (var i = 0; i < 20; i++)
            blocks.Add(await SubmitAsync(played, provider, _scratch.Block(Patient)));
        await StateAsync(blocks[0], BlockState.Running);
        provider = played.Provider();
        played.Commands.Clear();
        var statuses = await StatusesAsync(provider, [.. blocks]);
        statuses.ShouldAllBe(static status => status.State == BlockState.Pending || status.State == BlockState.Running);
        played.Commands.Count.ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Jobs_of_this_endpoint_that_no_block_has_are_ended_and_those_of_others_are_not(string kind)
    {
        const string Owner = "9999999999";
        var played = Played(kind);
        var provider = played.Provider();
        var kept = await SubmitAsync(played, provider, _scratch.Block(Patient, owner: Owner));
        var orphan = await SubmitAsync(played, provider, _scratch.Block(Patient, owner: Owner));
        var other = await SubmitAsync(played, provider, _scratch.Block(Patient));
        (await provider.EndOrphansAsync(Owner, new HashSet<string> { kept.Block.BlockId }, _scratch.Home, TestContext.Current.CancellationToken)).ShouldBe([orphan.JobId]);
        await StateAsync(orphan, BlockState.Cancelled);
        (await StatusesAsync(played.Provider(), kept, other)).ShouldAllBe(static status => !status.State.IsEnd());
    }

    [Fact]
    public async Task What_can_never_run_is_said_in_the_servers_words()
    {
        var played = Played("pbs");
        var provider = played.Provider();
        var block = await SubmitAsync(played, provider, _scratch.Block(Patient, nodes: 9));
        await Eventually.TrueAsync(async () => (await StatusAsync(played.Provider(), block)) is { State: BlockState.Pending, Reason: "will not start as it was asked for; Can Never Run: Not enough total nodes available" }, "the comment is shown");
    }

    [Fact]
    public async Task A_block_whose_number_was_given_to_another_job_is_not_taken_for_it()
    {
        var played = Played("pbs");
        var block = await SubmitAsync(played, played.Provider(), _scratch.Block(Patient));
        var impostor = block with { Block = block.Block with { BlockId = "b99-1" } };
        (await StatusAsync(played.Provider(), impostor)).State.ShouldBe(BlockState.Unknown);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (played, block) in _submitted)
            await played.RunAsync(new SchedulerCommand("qdel", block.JobId), "/", CancellationToken.None);
        foreach (var (_, block) in _submitted)
        {
            await Eventually.TrueAsync(
                () => ProcessTable.Mentioning(block.Block.Directory).Count == 0, $"job {block.JobId} is over",
                seen: () => string.Join("; ", ProcessTable.Mentioning(block.Block.Directory).Select(static entry => string.Join(' ', entry.Arguments))));
        }

        foreach (var played in _played)
        {
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(played.Root).Count == 0, "nothing of the scheduler runs");
            played.Dispose();
        }

        _scratch.Dispose();
    }

    private PlayedScheduler Played(string kind)
    {
        var played = new PlayedScheduler(kind);
        _played.Add(played);
        return played;
    }

    private async Task<SubmittedBlock> SubmitAsync(PlayedScheduler played, BatchProvider provider, BlockRequest block)
    {
        var submitted = new SubmittedBlock(block, await provider.SubmitAsync(block, TestContext.Current.CancellationToken));
        _submitted.Add((played, submitted));
        return submitted;
    }

    private static async Task<BlockStatus> StatusAsync(BatchProvider provider, SubmittedBlock block) => (await StatusesAsync(provider, block)).Single();

    private static Task<IReadOnlyList<BlockStatus>> StatusesAsync(BatchProvider provider, params SubmittedBlock[] blocks) => provider.QueryAsync(blocks, TestContext.Current.CancellationToken);

    // Each look by a provider that has not asked before: on a busy machine commands are slow, and who asked a slow server waits before asking again.
    private async Task StateAsync(SubmittedBlock block, BlockState state)
    {
        var played = _submitted.Single(submitted => submitted.Block == block).Played;
        var seen = default(BlockStatus);
        await Eventually.TrueAsync(
            async () => (seen = await StatusAsync(played.Provider(), block)).State == state, $"block {block.Block.BlockId} is {state}", seen: () => $"{seen.State}: {seen.Reason}; {Report(block)}");
    }

    private async Task RunsAsync(SubmittedBlock block)
    {
        await StateAsync(block, BlockState.Running);
        await Eventually.TrueAsync(() => Directory.EnumerateFiles(block.Block.Directory, "*.arguments").Any(), "its manager runs", seen: () => Report(block));
    }

    // That its manager has run.
    private static void Forget(SubmittedBlock block)
    {
        foreach (var arguments in Directory.EnumerateFiles(block.Block.Directory, "*.arguments").ToList())
            File.Delete(arguments);
    }

    private static string Report(SubmittedBlock block) =>
        $"job {block.JobId}; {string.Join("; ", Directory.EnumerateFiles(block.Block.Directory).Where(static file => Path.GetExtension(file) is ".log" or ".error" or ".output" or ".cobaltlog").Select(file => $"{Path.GetFileName(file)}: {File.ReadAllText(file)}"))}";
}
