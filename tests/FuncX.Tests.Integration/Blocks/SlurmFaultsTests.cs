using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Integration.Outcomes;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>What befalls the jobs of an endpoint in a real Slurm while its tasks run.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SlurmFaultsTests : IAsyncLifetime
{
    // The default of Slurm is 30 s; those of the lab are two, less than a manager takes to answer what it cuts off.
    private const string Patient = "KillWait=10";

    private SlurmLab? _lab;

    [Fact]
    public Task A_job_that_somebody_cancels_costs_no_attempt_and_is_replaced() => RunAsync("", async cluster =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, () => _lab!.RunAsync("scancel", job));
        BlockWork.Written(cluster, job).State.ShouldBe("Cancelled");
        (await BlockWork.JobAsync(cluster)).ShouldNotBe(job);
    });

    /// <summary>Slurm signals the command and its worker as well, which live long enough to say how it ended.</summary>
    [Fact]
    public Task A_command_that_somebody_cancelled_with_its_job_has_not_failed_and_runs_again() => RunAsync("", async cluster =>
    {
        // As many losses as would end it.
        const int Cancelled = 2;
        var turns = Path.Combine(cluster.DirectoryPath, "turns");
        // One process: a shell that is signalled after what it waits for goes on for a moment.
        var command = await cluster.Api.RegisterCommandAsync("turn", $$"""{"command": "echo x >>{{turns}}; [ $(wc -l <{{turns}}) -gt {{Cancelled}} ] || exec sleep 600; echo well", "shell": true}""");
        await cluster.Api.SubmitAsync(ServiceApi.Request(command, cluster.EndpointId, "command", ["[]"], new TaskOptions { MaxAttempts = Cancelled }));
        for (var turn = 1; turn <= Cancelled; turn++)
        {
            await Eventually.TrueAsync(() => File.Exists(turns) && File.ReadAllLines(turns).Length == turn, "the command runs");
            await _lab!.RunAsync("scancel", await BlockWork.JobAsync(cluster));
        }

        (await cluster.Api.WaitAsync("command", 1)).Values.Single().Text.ShouldContain("well");
        (await File.ReadAllLinesAsync(turns)).Length.ShouldBe(Cancelled + 1);
    });

    [Theory]
    [InlineData("preempted")]
    [InlineData("requeued")]
    public Task A_job_that_is_put_back_into_the_queue_comes_again_under_its_id(string how) => RunAsync(", nodes_per_block: 2", async cluster =>
    {
        await cluster.WaitOnlineAsync(managers: 2);
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, async () =>
        {
            var higher = "";
            if (how == "preempted")
                higher = await _lab!.RunAsync("sbatch", "--parsable", "--partition=high", "--nodes=2", "--exclusive", "--time=5", "--output=/dev/null", "--wrap=sleep 300");
            else
                await _lab!.RunAsync("scontrol", "requeue", job);
            // What the two minutes are for that Slurm lets pass.
            await _lab.RunIsOverAsync(job);
            await Eventually.TrueAsync(() => cluster.Endpoint.Managers().Count == 0, "nothing of the first run is left", seen: () => $"{cluster.Endpoint.Managers().Count} managers");
            if (higher.Length > 0)
            {
                await Eventually.TrueAsync(async () => (await _lab.JobsAsync()).Contains($"{higher} RUNNING"), "the other job has the nodes");
                await _lab.RunAsync("scancel", higher);
            }

            await _lab.RunAsync("scontrol", "update", $"jobid={job}", "StartTime=now");
        });
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
        (await _lab!.RunAsync("scontrol", "show", "job", job)).ShouldContain("Restarts=1");
    });

    [Fact]
    public Task A_job_that_is_suspended_costs_no_attempt_and_goes_on() => RunAsync("", async cluster =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, async () =>
        {
            await _lab!.RunAsync("scontrol", "suspend", job);
            await BlockWork.IsGivenUpAsync(cluster);
            (await _lab.JobsAsync()).ShouldBe([$"{job} SUSPENDED"]);
            await _lab.RunAsync("scontrol", "resume", job);
        });
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
    });

    [Fact]
    public Task A_node_that_crashes_costs_its_tasks_an_attempt_at_most_and_the_block_goes_on_with_the_other() => RunAsync(", nodes_per_block: 2", async cluster =>
    {
        await cluster.WaitOnlineAsync(managers: 2);
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.NapsAsync(cluster, async () =>
        {
            // Its daemon, its step's manager and what that runs. The controller is told, which takes minutes by itself.
            ProcessIdentity.Of(_lab!.PidOf("slurmd.n2")).Kill();
            foreach (var step in ProcessTable.Read().Where(entry => entry.Name == "slurmstepd" && OnNode(cluster, entry)))
                step.Identity.Kill();
            foreach (var process in ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Where(static entry => ProcessTable.Variable(entry.Pid, "SLURMD_NODENAME") == "n2"))
                process.Identity.Kill();
            await _lab.RunAsync("scontrol", "update", "nodename=n2", "state=down", "reason=crash");
        });
        cluster.Endpoint.Managers().Count.ShouldBe(1);
        (await _lab!.JobsAsync()).ShouldBe([$"{job} RUNNING"], "the block was to go on with the node that is left");
    });

    /// <summary>Made shorter while it runs: managers and endpoint go by the end that they were told of, and do not drain before. Slurm looks at limits every half minute.</summary>
    [LongFact]
    public Task A_walltime_that_is_over_while_tasks_run_costs_no_attempt_and_the_job_is_replaced() => RunAsync("", async cluster =>
    {
        var job = await BlockWork.JobAsync(cluster);
        await BlockWork.KeepsItsAttemptsAsync(cluster, async () =>
        {
            await _lab!.RunAsync("scontrol", "update", $"JobId={job}", "TimeLimit=1");
            await Eventually.TrueAsync(async () => !(await _lab.JobsAsync()).Contains($"{job} RUNNING"), "Slurm ends the job", TimeSpan.FromMinutes(2));
        });
        var (state, reason) = BlockWork.Written(cluster, job);
        state.ShouldBe("TimedOut", reason);
        (await BlockWork.JobAsync(cluster)).ShouldNotBe(job);
        (await _lab!.RunAsync("scontrol", "show", "job", job)).ShouldContain("JobState=TIMEOUT");
    });

    /// <summary>The commands say at once that they cannot reach it, where those of one that stands still wait; it finds its jobs in what it has saved.</summary>
    [Fact]
    public Task A_controller_that_ends_and_is_started_again_costs_no_task_an_attempt_and_knows_the_job() => RunAsync("", async cluster =>
    {
        var job = await BlockWork.JobAsync(cluster);
        var (held, nap) = (await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for"), await cluster.Api.RegisterAsync(Python.Nap, "nap"));
        var go = Path.Combine(cluster.DirectoryPath, "go");
        await cluster.Api.SubmitAsync(ServiceApi.Request(held, cluster.EndpointId, "held", [$"[\"{go}\", 5]"], new TaskOptions { MaxAttempts = 1 }));
        await Eventually.TrueAsync(() => File.Exists(go + ".waits"), "the task runs");

        var controller = ProcessIdentity.Of(_lab!.PidOf("slurmctld"));
        controller.Terminate().ShouldBeTrue();
        await Eventually.TrueAsync(() => !controller.IsAlive, "the controller has ended");
        (await Should.ThrowAsync<InvalidOperationException>(_lab.JobsAsync)).Message.ShouldContain("Unable to contact slurm controller");
        await Eventually.TrueAsync(async () => (await ReasonAsync(cluster)).Contains("Unable to contact slurm controller", StringComparison.Ordinal), "the block says that nobody tells of it");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "naps", Enumerable.Range(0, 10).Select(static i => $"[0.2, {i}]"), new TaskOptions { MaxAttempts = 1 }));
        (await cluster.Api.WaitAsync("naps", 10)).ShouldBeIndexes(10);

        await _lab.RunAsync("/usr/sbin/slurmctld", "-f", _lab.Configuration);
        ProcessIdentity.Of(_lab.PidOf("slurmctld")).ShouldNotBe(controller);
        await Eventually.TrueAsync(async () => await IsKnownAsync($"{job} RUNNING"), "it knows the job");
        await Eventually.TrueAsync(async () => await ReasonAsync(cluster) == "", "and that it is told of again");
        await File.WriteAllTextAsync(go, "");
        (await cluster.Api.WaitAsync("held", 1)).Values.Single().ShouldHaveValue("5");
        (await BlockWork.JobAsync(cluster)).ShouldBe(job);
    });

    public async ValueTask InitializeAsync()
    {
        if (Scenario.Full && SlurmLab.Missing is null)
            _lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: 2, extra: Patient);
    }

    public async ValueTask DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    private static async Task<string> ReasonAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("blocks").EnumerateArray().ShouldHaveSingleItem().GetProperty("reason").GetString()!;
    }

    // A controller that has just been started may not listen yet.
    private async Task<bool> IsKnownAsync(string job)
    {
        try
        {
            return (await _lab!.JobsAsync()).SequenceEqual([job]);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    // A step's manager has no variable that says its node; what it runs has.
    private static bool OnNode(LocalCluster cluster, ProcessEntry step) =>
        ProcessTable.Tree(step.Pid).Any(entry => ProcessTable.Variable(entry.Pid, "SLURMD_NODENAME") == "n2" && ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Any(own => own.Pid == entry.Pid));

    // Every scenario ends with a stop, after which Slurm has no job of this endpoint.
    private async Task RunAsync(string more, Func<LocalCluster, Task> body)
    {
        Assert.SkipUnless(Scenario.Full, "the like with PBS and Cobalt is in the short run: tests/run --full");
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = _lab!.Configuration };
        await Scenario.SharingAsync(new EndpointOptions { Provider = $"{{type: slurm, walltime: 10m, poll_interval: 1s{more}}}" }, async cluster =>
        {
            await body(cluster);
            await cluster.Endpoint.StopAsync();
            await Eventually.TrueAsync(async () => (await _lab.JobsAsync()).Length == 0, "squeue is empty", TimeSpan.FromSeconds(20));
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Count == 0, "nothing of the job runs", TimeSpan.FromSeconds(20));
        }, endpointEnvironment: environment);
    }
}
