using FuncX.Endpoint.Core.Launching;
using FuncX.Manager;
using FuncX.Manager.Launching;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Nodes from a job's environment, and how each launcher is told to use them.</summary>
public sealed class LaunchingTests
{
    // As `scontrol show hostnames` answers (Slurm 22.05).
    [Theory]
    [InlineData("n1", "n1")]
    [InlineData("n[1-3,5]", "n1 n2 n3 n5")]
    [InlineData("nid[00008-00011,00020]", "nid00008 nid00009 nid00010 nid00011 nid00020")]
    [InlineData("r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02")]
    [InlineData("nid[001-002],login[1-2],gpu7", "nid001 nid002 login1 login2 gpu7")]
    [InlineData("n[9-11]", "n9 n10 n11")]
    [InlineData("n[098-101]", "n098 n099 n100 n101")]
    public void Host_lists_of_Slurm_are_expanded(string text, string names) => string.Join(' ', HostList.Expand(text)).ShouldBe(names);

    [Theory]
    [InlineData("")]
    [InlineData("a,,b")]
    [InlineData("n[1-")]
    [InlineData("n1-3]")]
    [InlineData("n[[1]]")]
    [InlineData("n[]")]
    [InlineData("n[1-2,]")]
    [InlineData("n[3-1]")]
    [InlineData("n[a-b]")]
    [InlineData("n[-1]")]
    [InlineData("n[1-99999999999999999999]")]
    [InlineData("n[1-1000][1-1000]")]
    public void What_is_no_host_list_is_refused_and_named(string text) => Should.Throw<FormatException>(() => HostList.Expand(text)).Message.ShouldContain($"'{text}'");

    [Fact]
    public void The_nodes_of_a_job_are_those_its_scheduler_names()
    {
        Find(("PATH", "/bin")).ShouldBeNull();
        Find(("SLURM_JOB_ID", "")).ShouldBeNull();

        var slurm = Find(("SLURM_JOB_ID", "92"), ("SLURM_JOB_NODELIST", "n[1-2]"))!;
        (slurm.Kind, slurm.JobId, slurm.End).ShouldBe((AllocationKind.Slurm, "92", null));
        slurm.Nodes.ShouldBe(["n1", "n2"]);
        slurm.CoresPerNode.ShouldBeNull();
        var newer = Find(("SLURM_JOB_ID", "92"), ("SLURM_JOB_NODELIST", "n[1-3]"), ("SLURM_JOB_CPUS_PER_NODE", "72(x2),36"), ("SLURM_JOB_END_TIME", "1795450077"))!;
        (newer.CoresPerNode, newer.End).ShouldBe((36, DateTimeOffset.FromUnixTimeSeconds(1795450077)));

        var cobalt = Find(("COBALT_JOBID", "1"), ("COBALT_NODEFILE", "/nf"), ("COBALT_ENDTIME", "1795450077"))!;
        (cobalt.Kind, cobalt.JobId, cobalt.End).ShouldBe((AllocationKind.Cobalt, "1", DateTimeOffset.FromUnixTimeSeconds(1795450077)));
        cobalt.Nodes.ShouldBe(["c1", "c2"]);

        // On a Cray: numbers instead of a file.
        Find(("COBALT_JOBID", "1"), ("COBALT_PARTNAME", "3-5,8,12000-12001"))!.Nodes.ShouldBe(["nid00003", "nid00004", "nid00005", "nid00008", "nid12000", "nid12001"]);
        Find(("COBALT_JOBID", "1"), ("COBALT_PARTNAME", "3-5"), ("COBALT_NODEFILE", "/nf"))!.Nodes.ShouldBe(["c1", "c2"]);

        // A node for each of its processes, as PBS writes them.
        var pbs = Find(("PBS_JOBID", "1022.head"), ("PBS_NODEFILE", "/nf"))!;
        (pbs.Kind, pbs.JobId).ShouldBe((AllocationKind.Pbs, "1022.head"));
        pbs.Nodes.ShouldBe(["c1", "c2"]);

        Should.Throw<FormatException>(() => Find(("PBS_JOBID", "1"))).Message.ShouldContain("PBS_NODEFILE");
        Should.Throw<FormatException>(() => Find(("COBALT_JOBID", "1"))).Message.ShouldBe("this is a job (COBALT_JOBID is set), but neither COBALT_NODEFILE nor COBALT_PARTNAME, which names its nodes, is set");
        foreach (var other in (string[])["VST-00000-33331-128", "3][4"])
            Should.Throw<FormatException>(() => Find(("COBALT_JOBID", "1"), ("COBALT_PARTNAME", other))).Message.ShouldStartWith($"COBALT_PARTNAME is '{other}', which are no numbers of nodes");
        Should.Throw<FormatException>(() => Find(("COBALT_JOBID", "1"), ("COBALT_PARTNAME", "3-"))).Message.ShouldContain("'3-'");
        Should.Throw<FormatException>(() => Find(("SLURM_JOB_ID", "1"))).Message.ShouldContain("SLURM_JOB_NODELIST");
        Should.Throw<FormatException>(() => Allocation.Find(static name => name is "PBS_JOBID" or "PBS_NODEFILE" ? "x" : null, static _ => ["", " "])).Message.ShouldContain("names no node");

        static Allocation? Find(params (string Name, string Value)[] environment) => Allocation.Find(
            name => environment.FirstOrDefault(variable => variable.Name == name).Value,
            static file => file == "/nf" ? ["c1", "c1", "c2", ""] : throw new FileNotFoundException(file));
    }

    [Theory]
    [InlineData("mpirun", "mpirun --hostfile /d/hosts -np 3 --bind-to none -x FUNCX_UMASK --mca btl tcp,self /bin/m --world", "n1 slots=2|n2 slots=1")]
    [InlineData("mpiexec", "mpiexec -f /d/hosts -n 3 -bind-to none --mca btl tcp,self /bin/m --world", "n1:2|n2:1")]
    [InlineData("srun", "srun --nodes=2 --ntasks=3 --nodelist=/d/hosts --overlap --cpu-bind=none --cpus-per-task=8 --no-kill --kill-on-bad-exit=0 --input=none --unbuffered --mpi=pmi2 --mca btl tcp,self /bin/m --world", "n1|n1|n2")]
    [InlineData("aprun", "aprun -b -n 3 -N 1 -cc none -L 8-9,20 --mca btl tcp,self /bin/m --world", "")]
    [InlineData("pals", "mpiexec --hostfile /d/hosts -n 3 --ppn 1 --cpu-bind none --no-transfer --no-abort-on-failure --mca btl tcp,self /bin/m --world", "n1|n1|n2")]
    public void Each_launcher_is_told_one_rank_per_node_with_all_its_processors(string name, string commandLine, string hosts)
    {
        var launcher = Launchers.Of(name, new LauncherChoice(static _ => null))!;
        var world = World(name == "aprun" ? ["nid00020", "nid00009", "8"] : ["n1", "n1", "n2"]);
        string.Join(' ', launcher.CommandLine(world)).ShouldBe(commandLine);
        string.Join('|', launcher.HostLines(world)).ShouldBe(hosts);
        launcher.Name.ShouldBe(name);
    }

    [Fact]
    public void A_launcher_is_called_by_the_name_that_it_has_on_the_machine()
    {
        var choice = new LauncherChoice(static asked => asked switch { "mpirun.openmpi" => OpenMpi, "mpiexec.hydra" => Hydra, _ => null });
        Launchers.Of("mpirun", choice)!.CommandLine(World(["n1"]))[0].ShouldBe("mpirun.openmpi");
        Launchers.Of("mpiexec", choice)!.CommandLine(World(["n1"]))[0].ShouldBe("mpiexec.hydra");
        Launchers.Of("torque", choice).ShouldBeNull();
        Launchers.Of(LauncherChoice.OwnNode, choice).ShouldBeNull("nobody can ask for it");
    }

    // By its path mpirun puts that directory in front of the ranks' PATH (4.1.4).
    [Theory]
    [InlineData("/opt/openmpi/4.1/bin/mpirun", "/opt/openmpi/4.1/bin/mpirun")]
    [InlineData("/usr/lib64/openmpi/bin/mpirun", "/usr/lib64/openmpi/bin/mpirun")]
    [InlineData("/usr/bin/mpirun", "mpirun")]
    [InlineData("/usr/local/bin/mpirun", "mpirun")]
    public void Open_MPI_of_a_module_finds_its_parts_on_other_nodes_by_its_path(string found, string called) => MpirunLauncher.CalledAs("mpirun", found).ShouldBe(called);

    [Fact]
    public void Ranks_have_where_programs_and_libraries_are_from_Open_MPI_too()
    {
        var line = string.Join(' ', new MpirunLauncher().CommandLine(World(["n1"]) with { Variables = WorldLaunch.HandedOn }));
        line.ShouldContain(" -x PATH -x LD_LIBRARY_PATH -x FUNCX_UMASK -x FUNCX_MPI_LIBRARY ");
    }

    [Fact]
    public void Open_MPI_is_told_that_root_is_meant_and_aprun_refuses_names_without_a_number()
    {
        new MpirunLauncher().CommandLine(World(["n1"]) with { IsRoot = true }).ShouldContain("--allow-run-as-root");
        Should.Throw<FormatException>(() => new AprunLauncher().CommandLine(World(["login1"]))).Message.ShouldContain("'login1'");
    }

    [Theory]
    [InlineData(OpenMpi, 2, true)]
    [InlineData(OpenMpi, 1, false)]
    [InlineData("mpirun (Open MPI) 5.0.3", 2, false)]
    public void Open_MPI_4_is_told_to_let_ranks_live_when_another_dies(string version, int ranks, bool isTold)
    {
        var launcher = Launchers.Of("mpirun", new LauncherChoice(asked => asked == "mpirun" ? version : null))!;
        launcher.CommandLine(World([.. Enumerable.Range(0, ranks).Select(static rank => $"n{rank}")])).Contains("--enable-recovery").ShouldBe(isTold);
    }

    [Theory]
    [InlineData(2, "nothing was found that starts a manager on the other nodes of this job: aprun is not there; mpiexec is not there; mpiexec.hydra is not there; mpirun is not there; mpirun.openmpi is not there. Load the machine's MPI module")]
    [InlineData(257, "this job has 257 nodes; with transport: tcp and provider allocation at most 256 are possible, since each node's launcher runs on this one. Set transport: mpi")]
    public void Where_managers_cannot_be_started_it_is_said_with_the_cure(int nodes, string words)
    {
        var told = new List<string>();
        var job = new Allocation { Kind = AllocationKind.Pbs, JobId = "1.head", Nodes = [] };
        new LaunchPlanner(job, nodes, static _ => null, told.Add).Managers().ShouldBeNull();
        told.ShouldHaveSingleItem().ShouldStartWith(words);
    }

    [Theory]
    [InlineData(1, "/bin/m")]
    [InlineData(2, "mpirun.openmpi")]
    public void Managers_are_started_by_what_the_machine_has(int nodes, string program)
    {
        var job = new Allocation { Kind = AllocationKind.Pbs, JobId = "1.head", Nodes = [] };
        var plan = new LaunchPlanner(job, nodes, static asked => asked == "mpirun.openmpi" ? OpenMpi : null, static _ => { }).Managers()!;
        plan.Launcher.CommandLine(World(["1"]))[0].ShouldBe(program);
    }

    [Theory]
    [InlineData(true, 2, true)]
    [InlineData(true, 1, false)]
    [InlineData(false, 2, false)]
    public void A_leader_is_told_to_keep_no_workers_where_others_have_some(bool leaderOnly, int ranks, bool isTold)
    {
        var agent = new ManagerOptions { Rendezvous = "/r", Node = "", Directory = "/d" };
        var plan = new LaunchPlan { Launcher = new SrunLauncher(), CoresPerNode = 1, LeaderOnly = leaderOnly };
        var world = new FuncX.Manager.Launching.World(1, [.. Enumerable.Range(0, ranks).Select(static rank => $"n{rank}")]);
        NodeCommand.Of(agent, world, "/d/world-1", 7, plan).Contains("--leader-only").ShouldBe(isTold);
    }

    private const string OpenMpi = "mpirun (Open MPI) 4.1.4\n\nReport bugs";
    private const string Hydra = "HYDRA build details:\n    Version:  4.0.2";

    private static WorldLaunch World(string[] nodes) => new()
    {
        Nodes = nodes,
        HostFile = "/d/hosts",
        Command = ["/bin/m", "--world"],
        Arguments = ["--mca", "btl", "tcp,self"],
        Variables = ["FUNCX_UMASK"],
        CoresPerNode = 8,
        SlurmMpi = "pmi2",
    };
}
