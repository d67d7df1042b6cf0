using System.Text.Json;
using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>MPI worlds in jobs of a real Slurm: agent, srun or the MPI's own launcher, leaders, ranks and Python workers are real, under both MPIs.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class SlurmWorldsTests : IAsyncLifetime
{
    private const string OpenMpi = "libmpi.so.40";
    private const string Mpich = "libmpich.so.12";
    private const int Nodes = 2;
    private const int MostNodes = 4;

    // What keeps a job on this machine's loopback: shared memory (vader) fails between ranks that Slurm takes for different nodes. Set as a site would.
    private const string OnLoopback = "OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo FUNCX_MPI_LIBRARY=";

    private const string Look = """
        import ctypes, os, subprocess
        def look(library):
            seen = sorted(name for name in os.environ if name.startswith(("PMI", "OMPI_", "MPI_LOCAL", "SLURM_STEP")) or name in ("SLURM_PROCID", "SLURM_LOCALID"))
            inner = subprocess.run(["srun", "--overlap", "--nodes=1", "--ntasks=1", "--mpi=none", "echo", "inner"], capture_output=True, text=True, timeout=60)
            mpi = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
            mpi.MPI_Init(None, None)
            world = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(mpi, "ompi_mpi_comm_world"))) if library == "libmpi.so.40" else ctypes.c_int(0x44000000)
            size = ctypes.c_int(0)
            mpi.MPI_Comm_size(world, ctypes.byref(size))
            mpi.MPI_Finalize()
            return {"seen": seen, "job": os.environ.get("SLURM_JOB_ID"), "nodes": os.environ.get("SLURM_JOB_NODELIST"), "inner": inner.stdout.strip() or inner.stderr, "size": size.value, "cores": sorted(os.sched_getaffinity(0))}
        """;

    private const string Where = """
        import os, time
        def where(number):
            time.sleep(0.05)
            seen = sorted(name for name in os.environ if name.startswith(("PMI", "SLURM_STEP")) or name in ("SLURM_PROCID", "SLURM_LOCALID"))
            return [os.environ["FUNCX_NODE"], os.environ.get("SLURM_JOB_ID"), seen]
        """;

    // Debian's Slurm finds PMIx by the name that the development package brings.
    private const string Pmix = "/usr/lib/x86_64-linux-gnu/pmix2/lib/libpmix.so";

    private static readonly string? s_missing = SlurmLab.Missing ?? (File.Exists(Pmix) ? null : $"{Pmix} is not there; tests/run installs libpmix-dev");

    private SlurmLab? _lab;

    [Theory]
    [InlineData("detect", OpenMpi, "srun --mpi=pmix", Nodes)]
    [LongData("detect", OpenMpi, "srun --mpi=pmix", MostNodes)]
    [LongData("srun", Mpich, "srun --mpi=pmi2", MostNodes)]
    [LongData("mpirun", OpenMpi, "mpirun", MostNodes)]
    [LongData("mpiexec", Mpich, "mpiexec", MostNodes)]
    public Task Calls_run_on_the_nodes_of_a_job_and_have_the_jobs_name_and_nothing_of_the_launchers(string launcher, string library, string command, int nodes) => RunAsync(
        Options(library, nodes) with { Transport = "mpi", MoreYaml = $"launcher: {{type: {launcher}}}" }, async (cluster, environment) =>
        {
            await cluster.WaitOnlineAsync(managers: nodes);
            var job = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await cluster.SubmitRangeAsync(square, "squares", 400);
            (await cluster.Api.WaitAsync("squares", 400)).Values.Select(static result => result.Text).ShouldBe(Enumerable.Range(0, 400).Select(static i => $"{(i * i) + 7}"), ignoreOrder: true);
            using (var status = await cluster.Endpoint.StatusAsync())
                status!.RootElement.GetProperty("dispatch").GetProperty("worlds_running").GetInt32().ShouldBe(1);
            var words = command.Split(' ');
            ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).ShouldContain(entry => words.All(word => entry.Arguments.Any(argument => Path.GetFileName(argument).StartsWith(word, StringComparison.Ordinal))),
                $"the world was to be launched by {command}");

            var look = await cluster.Api.RegisterAsync(Look, "look");
            await cluster.Api.SubmitAsync(ServiceApi.Request(look, cluster.EndpointId, "look", [$"[\"{library}\"]"]));
            var seen = JsonDocument.Parse((await cluster.Api.WaitAsync("look", 1)).Values.ShouldHaveSingleItem().Text).RootElement;
            seen.GetProperty("seen").EnumerateArray().Select(static name => name.GetString()).ShouldBeEmpty();
            seen.GetProperty("job").GetString().ShouldBe(job);
            seen.GetProperty("nodes").GetString().ShouldBe($"n[1-{nodes}]");
            seen.GetProperty("inner").GetString().ShouldBe("inner");
            seen.GetProperty("size").GetInt32().ShouldBe(1);
            seen.GetProperty("cores").EnumerateArray().Select(static core => core.GetInt32()).ShouldBe(Processors.Ours, "a rank was to have all the cores of its node");

            await cluster.Endpoint.StopAsync();
            await NothingRunsAsync(cluster);
        });

    [Theory]
    [LongData(Mpich, "this MPICH under srun needs --mpi=pmi2")]
    public Task Ranks_that_do_not_find_each_other_are_told_with_the_cure(string library, string cure) => RunAsync(
        Options(library) with { Transport = "mpi", MoreYaml = "launcher: {type: srun, arguments: [\"--mpi=none\"]}" }, async (cluster, environment) =>
        {
            await cluster.NoteSaysAsync(cure);
            var blocks = await EndpointCommand.RunAsync(cluster.DirectoryPath, environment, "blocks", "--config", cluster.Endpoint.Configuration);
            blocks.ShouldEnd(0).Output.ShouldContain(cure);
            await cluster.Endpoint.StopAsync();
            await NothingRunsAsync(cluster);
        }, waits: false);

    [Theory]
    [LongData(OpenMpi)]
    [LongData(Mpich)]
    public Task A_job_that_is_cancelled_by_hand_leaves_nothing_and_is_replaced(string library) => RunAsync(Options(library) with { Transport = "mpi" }, async (cluster, _) =>
    {
        await cluster.WaitOnlineAsync(managers: Nodes);
        var job = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];
        var before = ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Where(static entry => entry.Arguments.Contains("--world") || entry.Arguments.Contains("--block")).Select(static entry => entry.Pid).ToHashSet();
        await _lab.RunAsync("scancel", job);
        await Eventually.TrueAsync(() => !ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Any(entry => before.Contains(entry.Pid)), "nothing of the cancelled job runs", TimeSpan.FromSeconds(30));
        await Eventually.TrueAsync(async () => (await _lab.JobsAsync()) is [var one] && one != job && one.EndsWith(" RUNNING", StringComparison.Ordinal), "another job runs");
        await cluster.WaitOnlineAsync(managers: Nodes);
        await cluster.Endpoint.StopAsync();
        await NothingRunsAsync(cluster);
    });

    /// <summary>srun is told to let the others live (<c>--kill-on-bad-exit=0</c>), and does not tell of the one that died.</summary>
    [Theory]
    [LongData(OpenMpi)]
    [LongData(Mpich)]
    public Task A_rank_that_is_killed_under_srun_costs_its_own_calls_alone_and_its_node_goes_on_as_a_world_of_its_own(string library) => RunAsync(
        Options(library, MostNodes) with { Transport = "mpi", MoreYaml = "launcher: {type: srun}" }, async (cluster, _) =>
        {
            await cluster.WaitOnlineAsync(managers: MostNodes);
            var ranks = Ranks(cluster);
            ranks.Select(static rank => NodeOf(rank)).ShouldBe(["n1", "n2", "n3", "n4"], ignoreOrder: true);
            var killed = ranks.First(static rank => ProcessTable.Variable(rank.Pid, "SLURM_PROCID") == "2");
            var node = NodeOf(killed);
            var spared = ranks.Where(rank => rank != killed).Select(static rank => rank.Identity).ToList();
            var work = await WorldWork.BeginAsync(cluster, "killed", calls: 160, milliseconds: 100);
            await work.RunsOnAsync([killed.Identity, .. spared]);
            var at = ServiceApi.NowMicroseconds() * 1000;

            killed.Identity.Kill().ShouldBeTrue();

            work.OthersRanNothingAgain(spared, at, await work.FinishAsync());
            await Eventually.TrueAsync(async () => await BlockWork.FigureAsync(cluster, "worlds_running") == 2 && await BlockWork.FigureAsync(cluster, "managers") == MostNodes, "a manager is on every node again");
            spared.ShouldAllBe(static rank => rank.IsAlive, "a rank was to be spared");
            var now = Ranks(cluster);
            now.Count.ShouldBe(MostNodes);
            var back = now.Single(rank => !spared.Contains(rank.Identity));
            NodeOf(back).ShouldBe(node, "the node that lost its rank was to have another");
            var more = await WorldWork.BeginAsync(cluster, "after", calls: 160, milliseconds: 20);
            await more.RunsOnAsync([back.Identity, .. spared]);
            await more.FinishAsync();
            await cluster.Endpoint.StopAsync();
            await NothingRunsAsync(cluster);
        });

    [Theory]
    [LongData(Mpich)]
    public Task Without_a_node_that_died_the_world_comes_back_on_the_others(string library) => RunAsync(Options(library) with { Transport = "mpi" }, async (cluster, _) =>
    {
        await cluster.WaitOnlineAsync(managers: Nodes);
        // The node dies: its daemon, its step's manager and what that runs. The controller is told, which takes minutes by itself.
        var dead = RankOn("n2");
        ProcessIdentity.Of(_lab!.PidOf("slurmd.n2")).Kill();
        ProcessIdentity.Of(dead.Parent).Kill();
        dead.Identity.Kill();
        await _lab.RunAsync("scontrol", "update", "nodename=n2", "state=down", "reason=crash");
        RankOn("n1").Identity.Kill();

        await Eventually.TrueAsync(() => Log().Contains("Slurm has taken node n2 out of the job", StringComparison.Ordinal), "the agent knows", TimeSpan.FromSeconds(60), Log);
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(square, "squares", 100);
        (await cluster.Api.WaitAsync("squares", 100)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        await cluster.Endpoint.StopAsync();
        await NothingRunsAsync(cluster);

        ProcessEntry RankOn(string node) => Ranks(cluster).Where(rank => NodeOf(rank) == node).ShouldHaveSingleItem();

        string Log() => string.Join('\n', Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, "agent.log", SearchOption.AllDirectories).Select(File.ReadAllText));
    });

    [Theory]
    [InlineData(OpenMpi)]
    [LongData(Mpich)]
    public Task An_endpoint_in_a_job_works_on_the_jobs_nodes_and_asks_for_none(string library) => InJobAsync(library, "00:10:00", async cluster =>
    {
        var job = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];
        var look = await cluster.Api.RegisterAsync(Look, "look");
        await cluster.Api.SubmitAsync(ServiceApi.Request(look, cluster.EndpointId, "look", [$"[\"{library}\"]"]));
        JsonDocument.Parse((await cluster.Api.WaitAsync("look", 1)).Values.ShouldHaveSingleItem().Text).RootElement.GetProperty("job").GetString().ShouldBe(job);
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(square, "squares", 200);
        (await cluster.Api.WaitAsync("squares", 200)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        using (var status = await cluster.Endpoint.StatusAsync())
        {
            var block = status!.RootElement.GetProperty("blocks").EnumerateArray().ShouldHaveSingleItem();
            block.GetProperty("nodes").GetInt32().ShouldBe(Nodes);
        }

        (await _lab.JobsAsync()).ShouldBe([$"{job} RUNNING"], "no other job was to be asked for");
        (await EndpointCommand.RunAsync(cluster.DirectoryPath, "stop", "--config", cluster.Endpoint.Configuration)).ShouldEnd(0);
    });

    [LongFact]
    public Task Without_MPI_a_manager_is_on_each_of_the_jobs_nodes_and_one_that_is_killed_comes_again() => InJobAsync(OpenMpi, "00:10:00", async cluster =>
    {
        var job = (await _lab!.JobsAsync()).ShouldHaveSingleItem().Split(' ')[0];
        var where = await cluster.Api.RegisterAsync(Where, "where");
        await RunsOnAllAsync("first");
        ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Count(static entry => entry.Arguments is ["srun", ..] && entry.Arguments.Contains("--overlap")).ShouldBeGreaterThanOrEqualTo(Nodes);

        var killed = Manager("n2").ShouldHaveSingleItem().Identity;
        killed.Kill().ShouldBeTrue();
        await Eventually.TrueAsync(() => Manager("n2") is [var manager] && manager.Identity != killed, "another manager is on the node");
        await cluster.WaitOnlineAsync(managers: Nodes);
        await RunsOnAllAsync("second");

        (await _lab.JobsAsync()).ShouldBe([$"{job} RUNNING"], "no other job was to be asked for");
        (await EndpointCommand.RunAsync(cluster.DirectoryPath, "stop", "--config", cluster.Endpoint.Configuration)).ShouldEnd(0);

        async Task RunsOnAllAsync(string group)
        {
            await cluster.Api.SubmitAsync(ServiceApi.Request(where, cluster.EndpointId, group, Enumerable.Range(0, 60).Select(static number => $"[{number}]")));
            var results = (await cluster.Api.WaitAsync(group, 60)).Values.Select(static result => result.Text).Distinct().Order(StringComparer.Ordinal).ToList();
            results.ShouldBe(Enumerable.Range(1, Nodes).Select(node => $"[\"n{node}\",\"{job}\",[]]"));
        }

        List<ProcessEntry> Manager(string node) => [.. ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Where(entry => entry.Arguments is [var program, ..] && program.EndsWith("funcx-manager", StringComparison.Ordinal)
            && entry.Arguments.SkipWhile(static word => word != "--node").Skip(1).FirstOrDefault() == node)];
    }, "tcp");

    [Theory]
    [LongData(Mpich)]
    public Task Before_its_job_ends_an_endpoint_in_it_gives_back_what_waits_and_stops(string library) => InJobAsync(library, "00:01:00", async cluster =>
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "naps", Enumerable.Range(0, 1_000).Select(static i => $"[0.5, {i}]")));
        await Eventually.TrueAsync(async () => (await _lab!.JobsAsync()).Length == 0, "the job is over", TimeSpan.FromSeconds(90));
        var tasks = await cluster.Api.ListAsync("naps");
        tasks.Count(static task => task.Outcome == Outcome.Value).ShouldBeGreaterThan(20);
        tasks.ShouldAllBe(static task => task.Losses == 0 && (task.Outcome == Outcome.Value || task.Outcome == Outcome.Unspecified), "nothing was to be lost");
    });

    public async ValueTask InitializeAsync()
    {
        if (s_missing is null)
            _lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: Scenario.Full ? MostNodes : Nodes);
    }

    public async ValueTask DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    private static EndpointOptions Options(string library, int nodes = Nodes) => new()
    {
        Provider = $"{{type: slurm, walltime: 10m, nodes_per_block: {nodes}, poll_interval: 1s, init: \"export {OnLoopback}{library}\"}}",
        WorkersPerNode = 1,
    };

    private static List<ProcessEntry> Ranks(LocalCluster cluster) => [.. ProcessTable.Mentioning(cluster.Endpoint.StateDirectory)
        .Where(static entry => entry.Arguments is [var program, ..] && program.EndsWith("funcx-manager", StringComparison.Ordinal) && entry.Arguments.Contains("--world"))];

    private static string? NodeOf(ProcessEntry rank) => ProcessTable.Variable(rank.Pid, "SLURMD_NODENAME");

    private async Task NothingRunsAsync(LocalCluster cluster)
    {
        await Eventually.TrueAsync(async () => (await _lab!.JobsAsync()).Length == 0, "squeue is empty", TimeSpan.FromSeconds(20));
        await Eventually.TrueAsync(() => ProcessTable.Mentioning(cluster.Endpoint.StateDirectory).Count == 0, "nothing of the job runs", TimeSpan.FromSeconds(20));
    }

    private async Task RunAsync(EndpointOptions options, Func<LocalCluster, IReadOnlyDictionary<string, string?>, Task> body, bool waits = true)
    {
        Assert.SkipWhen(s_missing is not null, s_missing ?? "");
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["SLURM_CONF"] = _lab!.Configuration };
        if (waits)
        {
            await Scenario.SharingAsync(options, cluster => body(cluster, environment), endpointEnvironment: environment);
            return;
        }

        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            await cluster.UseEndpoint(options).StartAsync(environment);
            await body(cluster, environment);
        });
    }

    // By the script and the file of configs/.
    private async Task InJobAsync(string library, string walltime, Func<LocalCluster, Task> body, string transport = "mpi")
    {
        Assert.SkipWhen(s_missing is not null, s_missing ?? "");
        await Scenario.RunAsync(await LocalCluster.ShareServiceAsync(), async cluster =>
        {
            var endpoint = await OwnJob.UseFileAsync(cluster, transport);
            var job = await _lab!.RunAsync(
                ["env", .. OwnJob.Variables(cluster), .. $"{OnLoopback}{library}".Split(' '), "sbatch", "--parsable", $"--nodes={Nodes}", $"--time={walltime}", $"--output={cluster.DirectoryPath}/job.log", OwnJob.Script("slurm")]);
            await Eventually.TrueAsync(() => File.Exists(Path.Combine(endpoint.StateDirectory, "identity.json")), "the endpoint in the job has registered");
            await cluster.WaitOnlineAsync(managers: Nodes);
            await body(cluster);
            await NothingRunsAsync(cluster);
            (await _lab.RunAsync("scontrol", "show", "job", job)).ShouldMatch(@"\bJobState=COMPLETED\b(?s:.*)\bExitCode=0:0\b", "the endpoint was to end the job by itself and well");
        });
    }
}
