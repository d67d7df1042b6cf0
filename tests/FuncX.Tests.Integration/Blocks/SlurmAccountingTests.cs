using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>What an endpoint learns from a real slurmdbd alone: how jobs ended that the controller has forgotten, and who may use an account.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SlurmAccountingTests(SlurmAccounting accounting) : IClassFixture<SlurmAccounting>
{
    /// <summary>Slurm has no walltime of less than a minute.</summary>
    [Theory]
    [InlineData("Completed", "Failed", "Cancelled")]
    [LongData("TimedOut", "Completed", "Cancelled")]
    public Task Jobs_that_ended_while_nobody_looked_have_ended_as_accounting_says(string first, string second, string third) => RunAsync(new EndpointOptions { Blocks = 3 }, "", async (cluster, environment) =>
    {
        string[] ends = [first, second, third];
        await cluster.WaitOnlineAsync(managers: 3);
        var jobs = await JobsAsync(cluster);
        await cluster.Endpoint.KillAsync();
        foreach (var (job, end) in jobs.Zip(ends))
            await EndAsync(cluster, job, end);
        await accounting.ForgottenAsync(TimeSpan.FromMinutes(3));

        await cluster.Endpoint.StartAsync(environment);

        foreach (var (job, end) in jobs.Zip(ends))
        {
            await Eventually.TrueAsync(() => BlockWork.Written(cluster, job).State == end, $"job {job} is {end}", seen: () => BlockWork.Written(cluster, job).ToString());
            BlockWork.Written(cluster, job).Reason.ShouldContain(Words(end));
        }

        await cluster.WaitOnlineAsync(managers: 3);
        (await JobsAsync(cluster)).Intersect(jobs).ShouldBeEmpty("what has ended was to be replaced");
    });

    [LongFact]
    public Task While_the_database_is_away_tasks_run_and_what_only_it_knows_is_unknown_until_it_is_back() => RunAsync(new EndpointOptions(), "", async (cluster, environment) =>
    {
        var lab = accounting.Lab;
        await cluster.WaitOnlineAsync();
        var job = await BlockWork.JobAsync(cluster);
        // It must have heard of the job, which the controller keeps in mind otherwise.
        await Eventually.TrueAsync(async () => await lab.RunAsync("sacct", "-n", "-X", "-P", "-o", "State", "-j", job) == "RUNNING", "accounting knows the job");
        var database = ProcessIdentity.Of(lab.PidOf("slurmdbd"));
        database.Terminate().ShouldBeTrue();
        await Eventually.TrueAsync(() => !database.IsAlive, "slurmdbd is gone");
        await BlockWork.NapsAsync(cluster, () => Task.CompletedTask);
        await cluster.Endpoint.KillAsync();
        await lab.RunAsync("scancel", job);
        await accounting.ForgottenAsync();

        await cluster.Endpoint.StartAsync(environment);

        await Eventually.TrueAsync(async () => (await ReasonAsync(cluster, job)).Contains($"slurm does not know job {job} any more, and who may know how it ended does not answer: sacct", StringComparison.Ordinal), "the status says so");
        BlockWork.Written(cluster, job).State.ShouldBe("Running", "what is not known is no end");
        await lab.RunAsync("slurmdbd");
        await Eventually.TrueAsync(() => BlockWork.Written(cluster, job).State == "Cancelled", "the end is known", seen: () => BlockWork.Written(cluster, job).ToString());
        await cluster.WaitOnlineAsync();
    });

    /// <summary>The association check of slurmctld.</summary>
    [LongFact]
    public Task An_account_that_was_not_given_to_the_user_is_told_with_the_key_until_it_is() => RunAsync(new EndpointOptions { BlockIdle = TimeSpan.FromSeconds(30) }, ", account: physics", async (cluster, _) =>
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", ["[0, 1]"]));
        await cluster.NoteSaysAsync("Invalid account or account/partition combination specified");
        await cluster.NoteSaysAsync("Check provider.account");
        (await accounting.Lab.JobsAsync()).ShouldBeEmpty();

        // The cause is gone, and nobody tells the endpoint.
        await accounting.Lab.RunAsync("sacctmgr", "-i", "add", "account", "physics");
        await accounting.Lab.RunAsync("sacctmgr", "-i", "add", "user", "root", "account=physics");
        (await cluster.Api.WaitAsync("work", 1)).Values.Single().ShouldHaveValue("1");
        await cluster.NoteSaysAsync("");
        var job = await BlockWork.JobAsync(cluster);
        (await accounting.Lab.RunAsync("squeue", "-h", "-j", job, "-o", "%a")).ShouldBe("physics");
    });

    private static string Words(string end) => end switch
    {
        // Of a script whose srun lost its only task to signal 9.
        "Failed" => "exit status 9",
        "Cancelled" => "by user id 0",
        _ => "",
    };

    // As it can happen while no endpoint is there.
    private async Task EndAsync(LocalCluster cluster, string job, string end)
    {
        if (end == "Cancelled")
        {
            await accounting.Lab.RunAsync("scancel", job);
            return;
        }

        if (end == "TimedOut")
        {
            await accounting.Lab.RunAsync("scontrol", "update", $"jobid={job}", "TimeLimit=1");
            return;
        }

        var manager = cluster.Endpoint.Managers().Single(manager => ProcessTable.Variable(manager.Pid, "SLURM_JOB_ID") == job).Identity;
        (end == "Failed" ? manager.Kill() : manager.Terminate()).ShouldBeTrue();
    }

    private static async Task<string[]> JobsAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return [.. status!.RootElement.GetProperty("blocks").EnumerateArray().Select(static block => block.GetProperty("job").GetString()!)];
    }

    private static async Task<string> ReasonAsync(LocalCluster cluster, string job)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("blocks").EnumerateArray().Where(block => block.GetProperty("job").GetString() == job).Select(static block => block.GetProperty("reason").GetString()!).FirstOrDefault() ?? "";
    }

    // Every scenario ends with a stop, after which Slurm has no job of this endpoint.
    private async Task RunAsync(EndpointOptions options, string more, Func<LocalCluster, IReadOnlyDictionary<string, string?>, Task> body)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = accounting.Lab.Configuration };
        await Scenario.SharingAsync(options with { Provider = $"{{type: slurm, walltime: 10m, poll_interval: 1s{more}}}" }, async cluster =>
        {
            await body(cluster, environment);
            await cluster.Endpoint.StopAsync();
            await Eventually.TrueAsync(async () => (await accounting.Lab.JobsAsync()).Length == 0, "squeue is empty", TimeSpan.FromSeconds(20));
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Count == 0, "nothing of the job runs", TimeSpan.FromSeconds(20));
        }, endpointEnvironment: environment);
    }
}
