using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>What befalls the jobs of an endpoint in PBS and in Cobalt while its tasks run; both are played by commands that really run the jobs.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class PlayedFaultsTests
{
    private static readonly EndpointOptions s_options = new() { WorkersPerNode = 3 };

    [Theory]
    [InlineData("cobalt", "user delete requested")]
    [LongData("pbs", "terminated by user@head")]
    public Task A_job_that_somebody_deletes_costs_no_attempt_and_is_replaced(string kind, string words) => RunAsync(kind, async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, () => site.RunAsync("qdel", job));
        var (state, reason) = BlockWork.Written(cluster, job);
        state.ShouldBe("Cancelled");
        (kind == "pbs" ? reason : await LogAsync(cluster, job)).ShouldContain(words);
        (await BlockWork.JobAsync(cluster)).ShouldNotBe(job);
    });

    [Theory]
    [InlineData("pbs", ", directives: [\"-r n\"]", "a node failed")]
    [LongData("cobalt", "", "exit status 137")]
    public Task A_job_that_dies_with_its_node_is_replaced_by_one_on_another(string kind, string directives, string words) => RunAsync(kind, async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        using var crash = await DyingAsync(cluster, site);
        var (state, reason) = BlockWork.Written(cluster, job);
        state.ShouldBe("Failed");
        reason.ShouldContain(words);
        (await BlockWork.JobAsync(cluster)).ShouldNotBe(job);
    }, directives);

    [Theory]
    [LongData("pbs")]
    public Task A_job_that_dies_with_its_node_and_may_run_again_is_the_same_on_another(string kind) => RunAsync(kind, async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        using var crash = await DyingAsync(cluster, site);
        await IsSameAsync(cluster, site, job);
    });

    /// <summary>An operator's <c>qrerun</c>; Cobalt has nothing like it.</summary>
    [Theory]
    [InlineData("pbs")]
    public Task A_job_that_is_put_back_into_the_queue_comes_again_under_its_id(string kind) => RunAsync(kind, async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.LosesAnAttemptAsync(cluster, () => site.RunAsync("qrerun", job));
        await IsSameAsync(cluster, site, job);
    });

    /// <summary>By a rerun, a suspension or a deletion, as <c>preempt_order</c> has it. One that was suspended has its managers back, whose tasks are run elsewhere meanwhile.</summary>
    [Theory]
    [LongData("R", "Q")]
    [LongData("S", "S")]
    [LongData("D", "F")]
    public Task A_job_makes_room_for_an_express_queue(string order, string meanwhile) => RunAsync("pbs", async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await (order != "R" ? BlockWork.KeepsItsAttemptsAsync(cluster, FaultAsync) : BlockWork.LosesAnAttemptAsync(cluster, FaultAsync));
        if (order == "D")
        {
            var (state, reason) = BlockWork.Written(cluster, job);
            state.ShouldBe("Cancelled");
            reason.ShouldContain("terminated by root@head");
            (await BlockWork.JobAsync(cluster)).ShouldNotBe(job);
            return;
        }

        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
        site.Record(job).GetProperty("state").GetString().ShouldBe("R");
        site.Record(job).GetProperty("run_count").GetInt32().ShouldBe(order == "R" ? 2 : 1);

        async Task FaultAsync()
        {
            var other = (await site.RunAsync("qsub", "-q", "express", "-l", "select=1:ncpus=1", site.Script("sleep 300"))).Trim();
            await Eventually.TrueAsync(() => site.Record(other).GetProperty("state").GetString() == "R", "the other job has the node");
            site.Record(job).GetProperty("state").GetString().ShouldBe(meanwhile);
            if (order == "S")
                await BlockWork.IsGivenUpAsync(cluster);
            await site.RunAsync("qdel", other);
        }
    }, configuration: $"{{\"nodes\": 1, \"queues\": [\"workq\", \"express\"], \"express\": [\"express\"], \"preempt_order\": \"{order}\"}}");

    /// <summary>By an operator, and because it was submitted so.</summary>
    [LongFact]
    public Task A_job_that_Cobalt_preempts_comes_again_under_its_id() => RunAsync("cobalt", async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, async () =>
        {
            var other = (await site.RunAsync("qsub", "-n", "1", "-t", "10", "-O", Path.Combine(site.Root, "other-job"), site.Script("sleep 300"))).Trim();
            await site.RunAsync("cqadm", "--preempt", job);
            await Eventually.TrueAsync(() => site.Record(other).GetProperty("state").GetString() == "running", "the other job has the node");
            site.Record(job).GetProperty("state").GetString().ShouldBe("preempted");
            await site.RunAsync("qdel", other);
        });
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
        site.Record(job).GetProperty("state").GetString().ShouldBe("running");
        (await LogAsync(cluster, job)).ShouldContain("job successfully preempted");
    }, ", directives: [\"--preemptable\"]", configuration: "{\"nodes\": 1}");

    /// <summary>A job of ten seconds in the scheduler's eyes: its managers are told of more, and do not drain before.</summary>
    [Theory]
    [LongData("pbs", "1m", "{\"seconds_per_minute\": 10}")]
    [LongData("cobalt", "5m", "{\"seconds_per_minute\": 2}")]
    public Task A_walltime_that_is_over_while_tasks_run_costs_no_attempt_and_the_job_is_replaced(string kind, string walltime, string configuration) => RunAsync(kind, async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, () => Task.CompletedTask);
        BlockWork.Written(cluster, job).State.ShouldBe("TimedOut");
        if (kind == "pbs")
            site.Record(job).GetProperty("exit_status").GetInt32().ShouldBe(-29);
        else
            (await LogAsync(cluster, job)).ShouldContain("maximum execution time exceeded");
    }, walltime: walltime, configuration: configuration);

    /// <summary>Of a minute the last twenty seconds, the last ten of which nothing runs.</summary>
    [Theory]
    [LongData("pbs", "1m", "{}")]
    [LongData("cobalt", "5m", "{\"seconds_per_minute\": 9, \"told_per_minute\": 9}")]
    public Task Managers_that_know_their_jobs_end_take_no_more_tasks_and_leave_before(string kind, string walltime, string configuration) => RunAsync(kind, async (cluster, _) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, () => Eventually.TrueAsync(async () => await BlockWork.FigureAsync(cluster, "blocks_draining") == 1, "the block takes no more tasks"));
        BlockWork.Written(cluster, job).State.ShouldBe("Completed", "the managers were to leave before the scheduler ended the job");
    }, walltime: walltime, configuration: configuration);

    [Theory]
    [LongData("pbs", "down")]
    [LongData("cobalt", "down")]
    [LongData("cobalt", "hung")]
    public Task A_server_that_is_away_for_a_while_stops_no_task_and_ends_no_block(string kind, string how) => RunAsync(kind, async (cluster, site) =>
    {
        var job = await BlockWork.JobAsync(cluster);
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        using (site.Without(how))
        {
            if (how == "down")
            {
                await Eventually.TrueAsync(() => cluster.Endpoint.Tail.Contains("could not be asked about its blocks", StringComparison.Ordinal), "the endpoint knows", seen: () => cluster.Endpoint.Tail);
                await StuckBlocks.ReasonIsAsync(cluster, $"^{kind} has not answered since [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z: ");
            }

            await NapsAsync(cluster, nap, "without");
        }

        await NapsAsync(cluster, nap, "with");
        await StuckBlocks.ReasonIsAsync(cluster, "^$");
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
        site.JobsEver().ShouldBe(1);
    });

    [Theory]
    [LongData("pbs")]
    [LongData("cobalt")]
    public Task Blocks_that_could_not_be_ended_while_the_server_was_away_end_when_it_is_back(string kind) => RunAsync(kind, async (cluster, site) =>
    {
        (await site.QueueAsync()).ShouldBeEmpty("no block may be there before there is work");
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", Enumerable.Range(0, 40).Select(static i => $"[0.5, {i}]")));
        await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 2, "two blocks run", seen: () => $"{cluster.Endpoint.Managers().Count} managers");
        using (site.Without())
        {
            (await cluster.Api.WaitAsync("work", 40)).ShouldBeIndexes(40);
            await Eventually.TrueAsync(() => cluster.Endpoint.Tail.Contains("could not be ended", StringComparison.Ordinal), "the endpoint has tried to end them", seen: () => cluster.Endpoint.Tail);
        }

        await Eventually.TrueAsync(async () => (await site.QueueAsync()).Length == 0, "blocks end when idle, also those that could not be ended at first", TimeSpan.FromSeconds(90));
    }, options: s_options with { Blocks = 2, BlockIdle = TimeSpan.FromSeconds(2) });

    [Theory]
    [InlineData("pbs", "queue: debg", "{}", "Unknown queue", "{\"queues\": [\"workq\", \"debg\"]}")]
    [LongData("cobalt", "queue: debg", "{}", "trying to add job to non-existent queue 'debg'", "{\"queues\": [\"default\", \"debg\"]}")]
    [LongData("cobalt", "account: phyics", "{\"accounts\": [\"physics\"]}", "No active allocation found for project phyics", "{\"accounts\": [\"physics\", \"phyics\"]}")]
    [LongData("pbs", "account: phyics", "{\"accounts\": [\"physics\"]}", "No active allocation found for project phyics", "{\"accounts\": [\"physics\", \"phyics\"]}")]
    public Task What_is_refused_is_said_also_of_the_tasks_that_wait_until_the_cause_is_gone(string kind, string wish, string configuration, string words, string cure) => RunAsync(kind, async (cluster, site) =>
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", ["[0, 1]"]));
        await cluster.NoteSaysAsync(words);
        await cluster.NoteSaysAsync($"Check provider.{wish.Split(':')[0]}");
        (await site.QueueAsync()).ShouldBeEmpty();
        var waiting = (await cluster.Api.ListAsync("work")).Single().TaskId;
        await Eventually.TrueAsync(async () => (await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = waiting }, cluster.Api.Headers)).WaitingReason.Contains(words, StringComparison.Ordinal), "the task that waits says why");

        // The cause is gone, and nobody tells the endpoint.
        site.Configure(cure);
        (await cluster.Api.WaitAsync("work", 1)).Values.Single().ShouldHaveValue("1");
    }, $", {wish}", configuration: configuration, options: s_options with { BlockIdle = TimeSpan.FromSeconds(30) });

    /// <summary>More nodes than there are, until the machine is made larger.</summary>
    [Fact]
    public Task A_job_that_can_never_run_says_so_also_to_the_tasks_that_wait_until_it_can() => RunAsync("pbs", async (cluster, site) =>
    {
        const string Words = "will not start as it was asked for; Can Never Run: Not enough total nodes available";
        await StuckBlocks.SubmitAsync(cluster);
        await StuckBlocks.AreExplainedAsync(cluster, Words);
        var job = await BlockWork.JobAsync(cluster);
        var blocks = await EndpointCommand.RunAsync(site.Root, site.Environment, "blocks", "--config", cluster.Endpoint.Configuration);
        blocks.ShouldEnd(0).Output.ShouldContain(Words);

        site.Configure("{\"nodes\": 2}");
        await StuckBlocks.AreCuredAsync(cluster);
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
    }, ", nodes_per_block: 2", configuration: "{\"nodes\": 1}", options: s_options with { BlockIdle = TimeSpan.FromSeconds(30) });

    /// <summary>A module that is missing on the nodes.</summary>
    [Theory]
    [InlineData("pbs")]
    [LongData("cobalt")]
    public async Task Lines_of_init_that_fail_are_said_also_of_the_tasks_that_wait_and_tried_ever_more_rarely(string kind)
    {
        var directory = LocalCluster.NewDirectory("init");
        var flag = Path.Combine(directory, "module");
        try
        {
            await RunAsync(kind, (cluster, _) => StuckBlocks.InitIsCuredAsync(cluster, flag), $", {StuckBlocks.InitWithout(flag)}", options: s_options with { BlockIdle = TimeSpan.FromSeconds(30) });
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    // Every scenario ends with a stop, after which the scheduler has no job of this endpoint.
    private static async Task RunAsync(string kind, Func<LocalCluster, PlayedSite, Task> body, string more = "", string walltime = "10m", string configuration = "{}", EndpointOptions? options = null)
    {
        using var site = new PlayedSite(kind);
        site.Configure(configuration);
        await Scenario.SharingAsync((options ?? s_options) with { Provider = $"{{type: {kind}, walltime: {walltime}, poll_interval: 1s{more}}}" }, async cluster =>
        {
            await body(cluster, site);
            await cluster.Endpoint.StopAsync();
            await site.NothingRunsAsync();
        }, endpointEnvironment: site.Environment);
    }

    private static async Task<IDisposable> DyingAsync(LocalCluster cluster, PlayedSite site)
    {
        IDisposable? crash = null;
        await BlockWork.LosesAnAttemptAsync(cluster, () =>
        {
            crash = site.WithoutFirstNode();
            return Task.CompletedTask;
        });
        return crash!;
    }

    private static async Task IsSameAsync(LocalCluster cluster, PlayedSite site, string job)
    {
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
        site.JobsEver().ShouldBe(1);
        site.Record(job).GetProperty("run_count").GetInt32().ShouldBe(2);
    }

    private static async Task NapsAsync(LocalCluster cluster, string nap, string group)
    {
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, group, Enumerable.Range(0, 12).Select(static i => $"[0.2, {i}]")));
        (await cluster.Api.WaitAsync(group, 12)).ShouldBeIndexes(12);
    }

    // The .cobaltlog of a job: beside its script.
    private static async Task<string> LogAsync(LocalCluster cluster, string job)
    {
        var texts = await Task.WhenAll(Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, "*.cobaltlog", SearchOption.AllDirectories).Select(static file => File.ReadAllTextAsync(file)));
        return texts.Single(text => text.StartsWith($"Jobid: {job}\n", StringComparison.Ordinal));
    }
}
