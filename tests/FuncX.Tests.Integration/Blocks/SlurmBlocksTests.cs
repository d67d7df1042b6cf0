using System.Diagnostics;
using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>An endpoint whose blocks are jobs of a real Slurm.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SlurmBlocksTests : IAsyncLifetime
{
    private SlurmLab? _lab;

    [Fact]
    public Task A_block_of_two_nodes_survives_the_endpoint_and_the_next_one_has_it_and_stop_leaves_none() => RunAsync(
        "{type: slurm, walltime: 10m, nodes_per_block: 2, poll_interval: 1s}", new EndpointOptions(), async (cluster, environment) =>
        {
            await cluster.WaitOnlineAsync(managers: 2);
            var job = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "first", Enumerable.Range(0, 60).Select(static i => $"[0.2, {i}]")));
            await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("first")).Done >= 4, "tasks run");

            await cluster.Endpoint.KillAsync();
            var tag = (await _lab.RunAsync("squeue", "-h", "-j", job, "-o", "%j")).Split('-')[1];
            var (orphan, another) = (await SubmitAsync($"funcx-{tag}-orphan"), await SubmitAsync($"funcx-{(tag[0] == '0' ? '1' : '0')}{tag[1..]}-orphan"));
            await cluster.Endpoint.StartAsync(environment);

            (await cluster.Api.WaitAsync("first", 60)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
            await cluster.WaitOnlineAsync(managers: 2);
            await Eventually.TrueAsync(async () => !(await _lab.JobsAsync()).Any(entry => entry.StartsWith($"{orphan} ", StringComparison.Ordinal)), "a job of this endpoint that no block has is ended");
            (await _lab.JobsAsync()).ShouldBe([$"{job} RUNNING", $"{another} PENDING"], ignoreOrder: true, "the next process was to take up the job, ask for no other, and leave another endpoint's alone");
            await _lab.RunAsync("scancel", another);
            using (var status = await cluster.Endpoint.StatusAsync())
                status!.RootElement.GetProperty("blocks")[0].GetProperty("job").GetString().ShouldBe(job);

            if (Scenario.Full)
            {
                var stop = await EndpointCommand.RunAsync(cluster.DirectoryPath, environment, "stop", "--keep", "--config", cluster.Endpoint.Configuration);
                stop.ShouldEnd(0).Output.ShouldContain("left 1 blocks running");
                await cluster.Endpoint.StartAsync(environment);
                await cluster.WaitOnlineAsync(managers: 2);
                (await _lab.JobsAsync()).ShouldBe([$"{job} RUNNING"], "a block that was kept was to be taken up");
            }

            await cluster.Endpoint.StopAsync();
            await Eventually.TrueAsync(async () => (await _lab.JobsAsync()).Length == 0, "squeue is empty", TimeSpan.FromSeconds(10));
            var executions = File.ReadLines(Path.Combine(cluster.Endpoint.StateDirectory, "executions.jsonl")).Select(static line => JsonDocument.Parse(line).RootElement).ToList();
            executions.Count.ShouldBeGreaterThan(1, "each of the two processes was to write");
            executions.Select(static entry => string.Join(' ', ((string[])["job", "owner", "function", "name"]).Select(name => entry.GetProperty(name).GetString()))).Distinct().ShouldBe([$"{job} {cluster.User} {nap} nap"]);

            // It waits: the block has the processors.
            Task<string> SubmitAsync(string name) => _lab.RunAsync("sbatch", "--parsable", $"--job-name={name}", "--time=5", "--output=/dev/null", "--wrap=sleep 300");
        });

    /// <summary>Forty tasks last some seconds, five hundred a minute. The controller stands still until the blocks, idle then, could not be ended.</summary>
    [Theory]
    [LongData(40, 0)]
    [LongData(500, 60)]
    public Task Blocks_come_with_demand_and_go_and_a_controller_that_stands_still_stops_no_task(int tasks, int seconds) => RunAsync(
        "{type: slurm, walltime: 10m, poll_interval: 1s}", new EndpointOptions { Blocks = 2, BlockIdle = TimeSpan.FromSeconds(2) }, async (cluster, _) =>
        {
            (await _lab!.JobsAsync()).ShouldBeEmpty("no block may be there before there is work");
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", Enumerable.Range(0, tasks).Select(static i => $"[0.5, {i}]")));
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 2, "two blocks run", seen: () => $"{cluster.Endpoint.Managers().Count} managers");

            var controller = ProcessIdentity.Of(_lab.PidOf("slurmctld"));
            controller.Stop().ShouldBeTrue();
            var stopped = Stopwatch.StartNew();
            try
            {
                (await cluster.Api.WaitAsync("work", tasks, TimeSpan.FromMinutes(3))).ShouldBeIndexes(tasks);
                await Eventually.TrueAsync(() => cluster.Endpoint.Tail.Contains("could not be ended", StringComparison.Ordinal), "the endpoint has tried to end them", seen: () => cluster.Endpoint.Tail);
                stopped.Elapsed.ShouldBeGreaterThan(TimeSpan.FromSeconds(seconds));
            }
            finally
            {
                controller.Continue();
            }

            await Eventually.TrueAsync(async () => (await _lab.JobsAsync()).Length == 0, "blocks end when idle, also those that could not be ended at first", TimeSpan.FromSeconds(90));
        });

    /// <summary>A job of a minute takes tasks for forty seconds, and what runs then has ten more.</summary>
    [Fact]
    public Task What_a_jobs_end_cuts_off_costs_no_attempt_and_what_would_not_fit_waits_for_the_next_job() => RunAsync(
        "{type: slurm, walltime: 1m, poll_interval: 1s}", new EndpointOptions { Blocks = 2, BlockIdle = TimeSpan.FromSeconds(30), WorkersPerNode = 2 }, async (cluster, _) =>
        {
            const string Unlucky = """
                import os, signal, time
                def unlucky(path):
                    with open(path, 'a+') as file:
                        file.write('x')
                    turn = os.path.getsize(path)
                    if turn == 1:
                        os.kill(os.getpid(), signal.SIGKILL)
                    if turn == 2:
                        time.sleep(600)
                    return turn
                def job(x):
                    return os.environ['SLURM_JOB_ID']
                """;
            var unlucky = await cluster.Api.RegisterAsync(Unlucky, "unlucky");
            var job = await cluster.Api.RegisterAsync(Unlucky, "job");
            var path = Path.Combine(cluster.DirectoryPath, "turns");
            await cluster.Api.SubmitAsync(ServiceApi.Request(unlucky, cluster.EndpointId, "cut-off", [$"[\"{path}\"]"], new TaskOptions { MaxAttempts = 2 }));
            await Eventually.TrueAsync(() => File.Exists(path) && new FileInfo(path).Length == 2, "the task runs for the second time");
            var first = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];

            await cluster.Api.SubmitAsync(ServiceApi.Request(job, cluster.EndpointId, "never", ["[0]"], new TaskOptions { WalltimeMs = 46_000 }));
            var never = (await cluster.Api.WaitAsync("never", 1)).Values.Single();
            never.Outcome.ShouldBe(Outcome.Rejected);
            never.Text.ShouldContain("longer than any block of this endpoint lasts: its jobs have a walltime of 00:01:00");

            await Task.Delay(TimeSpan.FromSeconds(14));
            // The next job waits for a node until it has been seen that a task waits for the job.
            await _lab.RunAsync("scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=later");
            await cluster.Api.SubmitAsync(ServiceApi.Request(job, cluster.EndpointId, "short", ["[0]"], new TaskOptions { WalltimeMs = 2_000 }));
            await cluster.Api.SubmitAsync(ServiceApi.Request(job, cluster.EndpointId, "long", ["[0]"], new TaskOptions { WalltimeMs = 40_000 }));
            await Eventually.TrueAsync(async () => await FigureAsync(cluster, "waiting_for_time") == 1, "the task waits for the next job");
            await _lab.RunAsync("scontrol", "update", "NodeName=n2", "State=RESUME");
            (await cluster.Api.WaitAsync("short", 1)).Values.Single().Text.ShouldBe($"\"{first}\"");
            (await cluster.Api.WaitAsync("long", 1)).Values.Single().Text.ShouldNotBe($"\"{first}\"");
            (await FigureAsync(cluster, "waiting_for_time")).ShouldBe(0);
            await Eventually.TrueAsync(async () => await FigureAsync(cluster, "blocks_draining") == 1, "the first block takes no more tasks");

            var cutOff = (await cluster.Api.WaitAsync("cut-off", 1)).Values.Single();
            cutOff.ShouldHaveValue("3");
            (await cluster.Api.ListAsync("cut-off")).Single().Attempts.ShouldBe(3u, "a lost worker, the end of a job, and a good end");
        });

    [LongFact]
    public Task A_job_that_is_made_longer_takes_what_would_not_have_fit() => RunAsync(
        "{type: slurm, walltime: 3m, poll_interval: 1s}", new EndpointOptions { BlockIdle = TimeSpan.FromMinutes(5), WorkersPerNode = 1 }, async (cluster, _) =>
        {
            var job = await cluster.Api.RegisterAsync("import os\ndef job(x):\n    return os.environ['SLURM_JOB_ID']\n", "job");
            await cluster.Api.SubmitAsync(ServiceApi.Request(job, cluster.EndpointId, "short", ["[0]"]));
            var first = (await cluster.Api.WaitAsync("short", 1)).Values.Single().Text.Trim('"');

            // Of three minutes a block of this endpoint lasts for 165 s at best, and for less with each second.
            await Task.Delay(TimeSpan.FromSeconds(8));
            await cluster.Api.SubmitAsync(ServiceApi.Request(job, cluster.EndpointId, "long", ["[0]"], new TaskOptions { WalltimeMs = 165_000 }));
            await Eventually.TrueAsync(async () => await FigureAsync(cluster, "waiting_for_time") == 1, "the task waits");
            await _lab!.RunAsync("scontrol", "update", $"JobId={first}", "TimeLimit=10");
            (await cluster.Api.WaitAsync("long", 1)).Values.Single().Text.ShouldBe($"\"{first}\"");
        });

    [Fact]
    public Task What_Slurm_refuses_is_said_also_of_the_tasks_that_wait_until_the_cause_is_gone() => RunAsync(
        "{type: slurm, walltime: 10m, partition: debg, poll_interval: 1s}", new EndpointOptions { BlockIdle = TimeSpan.FromSeconds(2) }, async (cluster, _) =>
        {
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", ["[0, 1]"]));
            await cluster.NoteSaysAsync("Check provider.partition");
            (await _lab!.JobsAsync()).ShouldBeEmpty();
            var waiting = (await cluster.Api.ListAsync("work")).Single().TaskId;
            await Eventually.TrueAsync(async () => (await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = waiting }, cluster.Api.Headers)).WaitingReason.Contains("Check provider.partition", StringComparison.Ordinal), "the task that waits says why");
            await cluster.NoteSaysAsync(" blocks in a row came to nothing; the next is asked for from");

            // The cause is gone, and nobody tells the endpoint.
            await _lab.RunAsync("scontrol", "create", "PartitionName=debg", "Nodes=n1", "State=UP");
            (await cluster.Api.WaitAsync("work", 1)).Values.Single().ShouldHaveValue("1");
            (await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = waiting }, cluster.Api.Headers)).WaitingReason.ShouldBeEmpty();
            await cluster.Endpoint.StopAsync();
        });

    [LongFact]
    public Task A_job_that_is_longer_than_its_partition_allows_says_so_also_to_the_tasks_that_wait_until_it_may() => RunAsync(
        "{type: slurm, walltime: 10m, partition: short, poll_interval: 1s}", new EndpointOptions { BlockIdle = TimeSpan.FromSeconds(30) }, async (cluster, environment) =>
        {
            await _lab!.RunAsync("scontrol", "create", "PartitionName=short", "Nodes=n1", "MaxTime=1", "State=UP");
            await StuckBlocks.SubmitAsync(cluster);
            await StuckBlocks.AreExplainedAsync(cluster, "will not start as it was asked for; PartitionTimeLimit");
            var blocks = await EndpointCommand.RunAsync(cluster.DirectoryPath, environment, "blocks", "--config", cluster.Endpoint.Configuration);
            blocks.ShouldEnd(0).Output.ShouldContain("PartitionTimeLimit");
            await _lab.RunAsync("scontrol", "update", "PartitionName=short", "MaxTime=INFINITE");
            await StuckBlocks.AreCuredAsync(cluster);
        });

    [LongFact]
    public async Task Lines_of_init_that_fail_are_said_also_of_the_tasks_that_wait_and_tried_ever_more_rarely()
    {
        var directory = LocalCluster.NewDirectory("init");
        var flag = Path.Combine(directory, "module");
        try
        {
            await RunAsync($"{{type: slurm, walltime: 10m, poll_interval: 1s, {StuckBlocks.InitWithout(flag)}}}", new EndpointOptions { BlockIdle = TimeSpan.FromSeconds(30) },
                (cluster, _) => StuckBlocks.InitIsCuredAsync(cluster, flag));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<int> FigureAsync(LocalCluster cluster, string name)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("dispatch").GetProperty(name).GetInt32();
    }

    public async ValueTask InitializeAsync()
    {
        if (SlurmLab.Missing is null)
            _lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: 2);
    }

    public async ValueTask DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    private async Task RunAsync(string provider, EndpointOptions options, Func<LocalCluster, IReadOnlyDictionary<string, string?>, Task> body)
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = _lab!.Configuration };
        await Scenario.SharingAsync(options with { Provider = provider }, cluster => body(cluster, environment), endpointEnvironment: environment);
    }
}
