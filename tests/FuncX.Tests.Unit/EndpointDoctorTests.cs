using System.Net;
using System.Net.Sockets;
using System.Text;
using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using FuncX.Providers.Batch;
using FuncX.Wire;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>
/// <c>funcx-endpoint doctor</c> on a machine that is well but for one thing: that is found with its cure, and nothing else. All checks run each time; what compute nodes say is in
/// <see cref="EndpointDoctorNodesTests"/>.
/// </summary>
public sealed class EndpointDoctorTests : IDisposable
{
    private const string Python = "/usr/bin/python3";
    private const string Local = "provider: {type: local}";
    private const string Slurm = "provider: {type: slurm, walltime: 1h, partition: debug}";
    private const string NoSpace = "No space left on device";
    private const string NoQuota = "Disk quota exceeded";

    private readonly ConfigurationScratch _scratch = new();
    private readonly EndpointDoctorMachine _machine;
    private readonly string _bin;

    public EndpointDoctorTests()
    {
        _machine = new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31"));
        _bin = Directory.CreateDirectory(Path.Combine(_scratch.Path, "bin")).FullName;
        foreach (var tool in (string[])["timeout", "head"])
            File.CreateSymbolicLink(Path.Combine(_bin, tool), $"/usr/bin/{tool}");
    }

    private string State => Path.Combine(_scratch.Path, "state");

    [Fact]
    public async Task A_local_machine_that_is_well_is_told_so_and_what_does_not_concern_it_is_not_looked_at()
    {
        var findings = await ExamineAsync(Local);
        findings.ShouldAllBe(static finding => finding.State == FindingState.Ok || finding.State == FindingState.Skipped);
        findings.Where(static finding => finding.State == FindingState.Ok).Select(static finding => finding.Check)
            .ShouldBe(["file", "permissions", "token", "disk", "limits", "service", "clock", "manager", "glibc", "python", "addresses"]);
        findings.Where(static finding => finding.State == FindingState.Skipped).Select(static finding => finding.Check).ShouldBe(["containers", "mpi", "scheduler", "script", "nodes"]);
        findings.Where(static finding => finding.State == FindingState.Skipped).ShouldAllBe(static finding => finding.Seen.StartsWith("not needed: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_cluster_that_is_well_is_told_so_and_that_its_nodes_were_not_asked()
    {
        WriteOpenMpi();
        var findings = await ExamineAsync(Mpi("init: 'PATH=BIN'"));
        findings.Where(static finding => finding.State is FindingState.Warning or FindingState.Problem).ShouldBeEmpty();
        Of(findings, "scheduler").Seen.ShouldBe("slurm answers; it knows 0 jobs of yours");
        Of(findings, "script").Seen.ShouldContain("Slurm would take it: sbatch: Job 7 to start at ");
        Of(findings, "mpi").Seen.ShouldBe($"{_bin}/mpirun starts ranks, which load /opt/mpi/lib/libmpi.so.40 (Open MPI v4.1.4); this is this machine's, and nodes may differ");
        Of(findings, "python").Seen.ShouldEndWith("; this is this machine's, and nodes may differ");
        Of(findings, "nodes").State.ShouldBe(FindingState.Skipped);
        Of(findings, "nodes").Seen.ShouldContain("compute nodes were not asked; with --job a small job asks them");
    }

    [Fact]
    public async Task A_state_directory_that_is_open_to_others_is_found()
    {
        Directory.CreateDirectory(State);
        File.SetUnixFileMode(State, FileModes.PrivateDirectory | UnixFileMode.OtherRead);
        await BreaksAsync("permissions", "is open to others (0704)", $"Run: chmod 700 {State}");
    }

    [Fact]
    public async Task A_state_directory_that_cannot_be_made_is_found()
    {
        _scratch.Write("state", "a file");
        await BreaksAsync("permissions", "is a file; expected a directory", "Name another in the configuration");
    }

    [Fact]
    public void A_file_that_others_may_write_is_refused_before_anything_is_looked_at()
    {
        var file = _scratch.Write("open.yaml", Yaml(Local), FileModes.PrivateFile | UnixFileMode.OtherWrite);
        EndpointConfigurationFile.Read(file).Errors.ShouldHaveSingleItem().Message.ShouldContain($"Run: chmod go-w {file}");
    }

    [Fact]
    public async Task A_token_that_others_may_read_is_found()
    {
        var token = _scratch.Write("token", "fxt_secret", FileModes.PrivateFile | UnixFileMode.GroupRead);
        var finding = await BreaksAsync("token", "holds a secret but others may read or write it (0640)", $"Run: chmod 600 {token}");
        finding.ToString().ShouldNotContain("fxt_secret");
    }

    [Fact]
    public async Task A_token_that_is_not_there_is_found()
    {
        var finding = (await ExamineAsync(Local, tokenFile: Path.Combine(_scratch.Path, "none"))).Where(IsBad).ShouldHaveSingleItem();
        finding.Check.ShouldBe("token");
        finding.Cure.ShouldContain("--token-file FILE");
    }

    [Fact]
    public async Task An_endpoint_that_is_registered_needs_no_token_but_its_identity_must_be_private()
    {
        Directory.CreateDirectory(State, FileModes.PrivateDirectory);
        var identity = _scratch.Write("state/identity.json", """{"endpoint_id": "e1", "credential": "c", "service": "https://funcx.example.org", "name": "a"}""");
        var none = Path.Combine(_scratch.Path, "none");
        Of(await ExamineAsync(Local, tokenFile: none), "token").Seen.ShouldStartWith("registered at https://funcx.example.org as e1");
        File.SetUnixFileMode(identity, FileModes.PrivateFile | UnixFileMode.OtherRead);
        var finding = (await ExamineAsync(Local, tokenFile: none)).Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.Cure).ShouldBe(("token", $"Run: chmod 600 {identity}"));
    }

    [Fact]
    public async Task A_full_disk_is_found()
    {
        (_machine.WriteProblem, _machine.Space) = (new IOException(NoSpace, 28), new DiskSpace(4 << 20, 1_000));
        await BreaksAsync("disk", "is full (4 MiB free, 16 MiB were to be written): No space left on device", "make room on it (`df -h");
    }

    [Fact]
    public async Task A_disk_on_which_no_more_files_can_be_made_is_found()
    {
        (_machine.WriteProblem, _machine.Space) = (new IOException(NoSpace, 28), new DiskSpace(500L << 30, 0));
        await BreaksAsync("disk", "no more files can be made on the file system", "remove files there");
    }

    [Fact]
    public async Task A_quota_that_is_used_up_is_told_from_a_full_disk()
    {
        _machine.WriteProblem = new IOException(NoQuota, 122);
        await BreaksAsync("quota", "your quota where ", "`quota -s`");
    }

    [Fact]
    public async Task A_disk_that_is_read_only_is_found()
    {
        _machine.WriteProblem = new IOException("Read-only file system", 30);
        await BreaksAsync("disk", "cannot be written: Read-only file system", "name a state_dir on a file system that this machine may write");
    }

    [Fact]
    public async Task A_disk_with_less_room_than_results_may_take_is_a_warning_with_both_numbers()
    {
        _machine.Space = new DiskSpace(5L << 30, 1_000_000);
        var finding = await BreaksAsync("disk", "5 GiB are free", "lower limits.spool", FindingState.Warning);
        finding.Seen.ShouldContain("limits.spool lets results take 10 GiB there");
    }

    [Fact]
    public async Task A_disk_with_less_than_a_GiB_is_a_warning_whatever_results_may_take()
    {
        _machine.Space = new DiskSpace(700L << 20, 1_000_000);
        await BreaksAsync("disk", "700 MiB are free", "make room there", FindingState.Warning, $"{Local}\nlimits: {{spool: 100MiB}}");
    }

    [Fact]
    public async Task A_disk_with_room_for_few_files_is_a_warning()
    {
        _machine.Space = new DiskSpace(500L << 30, 99);
        await BreaksAsync("disk", "99 more files can be made", "remove files there", FindingState.Warning);
    }

    [Fact]
    public void A_real_directory_takes_what_is_written_and_nothing_of_it_is_left()
    {
        var machine = new Machine(TimeProvider.System);
        machine.Write(_bin, 16 << 20);
        Directory.EnumerateFileSystemEntries(_bin, ".*").ShouldBeEmpty();
        machine.SpaceOf(_bin).FreeBytes.ShouldBeInRange(1, new DriveInfo(_bin).TotalSize);
        machine.OpenFiles.ShouldBeGreaterThan(0UL);
        machine.Glibc.ShouldNotBeNull().ShouldBeGreaterThan(new Version(2, 20));
        machine.Find("bash").ShouldNotBeNull();
        machine.Find("no-such-program-of-anybody").ShouldBeNull();
    }

    [Fact]
    public async Task Few_open_files_are_a_warning_with_the_number()
    {
        _machine.OpenFiles = 1_024;
        await BreaksAsync("limits", "at most 1024 files may be open", "raise the hard limit", FindingState.Warning);
    }

    [Theory]
    [InlineData("NameUnknown", "its name has no address here", "check the spelling of 'service'")]
    [InlineData("NotConnected", "nobody takes the connection", "start the service")]
    [InlineData("NotTrusted", "no TLS connection to be trusted", "SSL_CERT_FILE")]
    [InlineData("NotHttp2", "does not speak HTTP/2", "must pass on HTTP/2")]
    [InlineData("TooLate", "https://funcx.example.org: said so", "firewall")]
    public async Task A_service_that_is_not_reached_is_found_each_way_with_a_cure_of_its_own(string reach, string seen, string cure)
    {
        _machine.Service = new ServiceAnswer(Enum.Parse<ServiceReach>(reach), "said so");
        var findings = await ExamineAsync(Local);
        var finding = findings.Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.State).ShouldBe(("service", FindingState.Problem));
        finding.Seen.ShouldContain(seen);
        finding.Cure.ShouldContain(cure);
        Of(findings, "clock").State.ShouldBe(FindingState.Skipped);
    }

    [Theory]
    [InlineData(true, "this machine's clock is 61 s behind that of the service")]
    [InlineData(false, "this machine's clock is 61 s ahead of that of the service")]
    public async Task A_clock_that_is_wrong_is_a_warning_with_the_number(bool isBehind, string seen)
    {
        _machine.Service = new ServiceAnswer(ServiceReach.Answered, Ahead: TimeSpan.FromSeconds(isBehind ? 61 : -61));
        await BreaksAsync("clock", seen, "NTP", FindingState.Warning);
    }

    [Fact]
    public async Task A_real_service_tells_the_time_and_a_port_of_nobody_nothing()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow - TimeSpan.FromMinutes(1));
        var service = await PlayedService.StartAsync();
        await using (service)
        {
            var answer = await new ServiceProbe(time).AskAsync(service.Address, TestContext.Current.CancellationToken);
            answer.Reach.ShouldBe(ServiceReach.Answered, answer.Said);
            answer.Ahead.ShouldNotBeNull().TotalSeconds.ShouldBeInRange(50, 110);
        }

        (await new ServiceProbe(time).AskAsync(service.Address, TestContext.Current.CancellationToken)).Reach.ShouldBe(ServiceReach.NotConnected);
    }

    [Fact]
    public async Task What_answers_in_another_protocol_is_no_service()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = Task.Run(async () =>
        {
            using var peer = await listener.AcceptTcpClientAsync();
            var stream = peer.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
            peer.Client.Shutdown(SocketShutdown.Send);
            await stream.CopyToAsync(Stream.Null);
        });
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        (await new ServiceProbe(TimeProvider.System).AskAsync($"http://127.0.0.1:{port}", TestContext.Current.CancellationToken)).Reach.ShouldBe(ServiceReach.NotHttp2);
        (await new ServiceProbe(TimeProvider.System).AskAsync($"https://127.0.0.1:{PortOfPlainText()}", TestContext.Current.CancellationToken)).Reach.ShouldBe(ServiceReach.NotTrusted);
        await answering;
    }

    [Fact]
    public async Task A_manager_that_is_not_there_is_found_and_what_would_look_at_it_is_not_tried()
    {
        _machine.ManagerProblem = "funcx-manager was not found; looked at /a, /b. Set FUNCX_MANAGER to its path.";
        var findings = await ExamineAsync(Mpi("init: 'PATH=BIN'"));
        var finding = findings.Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.Seen, finding.Cure).ShouldBe(("manager", "funcx-manager was not found; looked at /a, /b", "Set FUNCX_MANAGER to its path"));
        foreach (var check in (string[])["glibc", "mpi"])
            Of(findings, check).State.ShouldBe(FindingState.Skipped);
    }

    [Fact]
    public async Task A_manager_that_does_not_start_is_found() =>
        await BreaksAsync("manager", "--version ended with 127: it lacks libz.so.1", "unpack the release again",
            machine: new EndpointDoctorMachine(_scratch.Write("m", "#!/bin/sh\n# GLIBC_2.31\necho 'it lacks libz.so.1' >&2\nexit 127\n", FileModes.PrivateDirectory)));

    [Fact]
    public async Task A_manager_that_is_no_program_is_found() =>
        await BreaksAsync("manager", "cannot be started", "--version` to see", machine: new EndpointDoctorMachine(_scratch.Write("m", "GLIBC_2.31", FileModes.PrivateDirectory)));

    [Fact]
    public async Task A_manager_of_another_release_is_found() =>
        await BreaksAsync("manager", $"is another release than this endpoint, {ProtocolVersion.Product}", "install the same release of both", machine: new EndpointDoctorMachine(WriteManager("0.0.1", "2.31")));

    [Fact]
    public async Task A_glibc_that_is_too_old_is_found_with_both_numbers()
    {
        _machine.Glibc = new Version(2, 28);
        await BreaksAsync("glibc", "needs glibc 2.31, and this machine has 2.28", "where glibc is 2.31 or newer");
    }

    [Fact]
    public async Task A_manager_that_needs_more_than_a_release_does_is_a_warning() =>
        await BreaksAsync("glibc", "needs glibc 2.34, which this machine has (2.36) and older compute nodes have not", "eng/sysroot", FindingState.Warning, machine: new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.34")));

    [Fact]
    public async Task Another_C_library_is_found()
    {
        _machine.Glibc = null;
        await BreaksAsync("glibc", "the C library of this machine is not glibc", "a Linux with glibc 2.31 or newer");
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("no version in here", null)]
    [InlineData("GLIBC_2.9\0GLIBC_2.17\0GLIBC_2.2.5\0", "2.17")]
    [InlineData("GLIBC_2.", "2.0")]
    public void The_glibc_that_a_program_needs_is_the_newest_that_it_names(string program, string? needed) =>
        GlibcNeed.Of(Encoding.ASCII.GetBytes(program)).ShouldBe(needed is null ? null : Version.Parse(needed));

    [Theory]
    [InlineData("init: 'echo no module conda >&2; false'", "workers.init failed with exit status 1: no module conda", "run its lines in bash")]
    [InlineData("init: 'echo bye; exit 3'", "workers.init ended with 3 before its last line: bye", "an `exit` among them ends all of it")]
    [InlineData("python: no-python-of-anybody", "workers.python is 'no-python-of-anybody', which is not there", "correct workers.python")]
    [InlineData("init: 'PATH=/nowhere', python: python3", "after workers.init PATH is /nowhere", "have workers.init bring it")]
    [InlineData("python: /bin/false", "'/bin/false' said no version (exit status 1)", "CPython 3.8 or later, or PyPy")]
    [InlineData("python: OLD", "is Python 3.7.9; 3.8 or later is needed", "name a newer one in workers.python")]
    [InlineData("preload: [json, no_such_module]", "cannot import of workers.preload: no_such_module ModuleNotFoundError: No module named 'no_such_module'", "-m pip install")]
    [InlineData("init: 'export PYTHONPATH=BIN', preload: [json, ender]", "ender, with which Python ended (exit status 5): last words", "take it out of workers.preload")]
    public async Task A_Python_that_does_not_serve_is_found_each_way(string workers, string seen, string cure)
    {
        _scratch.Write("bin/ender.py", "import os\nos.write(1, b'last words\\n')\nos._exit(5)\n");
        var old = _scratch.Write("old", "#!/bin/sh\nprintf '\\n==funcx version 3.7.9 /opt/old\\n'\n", FileModes.PrivateDirectory);
        await BreaksAsync("python", seen, cure, yaml: $"{Local}\nworkers: {{{workers.Replace("BIN", _bin, StringComparison.Ordinal).Replace("OLD", old, StringComparison.Ordinal)}{(workers.Contains("python:", StringComparison.Ordinal) ? "" : $", python: {Python}")}}}");
    }

    [Fact]
    public async Task Workers_that_only_wait_need_no_Python_and_files_that_only_nodes_have_are_not_looked_for()
    {
        Of(await ExamineAsync($"{Local}\nworkers: {{init: '. $FUNCX_STAGE_DIR/set', python: {Python}}}"), "python").State.ShouldBe(FindingState.Skipped);
        Of(await ExamineAsync($"{Local}\ntransport: mpi\nworkers: {{simulate: true, python: none-at-all}}"), "python").State.ShouldBe(FindingState.Skipped);
    }

    [Fact]
    public async Task Containers_cannot_be_used_yet_and_that_is_said() =>
        await BreaksAsync("containers", "'containers.runtime' is apptainer, which this release cannot do yet; possible now: runtime: none", "tasks run on the node itself", yaml: $"{Local}\ncontainers: {{runtime: apptainer}}");

    [Fact]
    public async Task Other_keys_that_this_release_cannot_do_are_said() =>
        await BreaksAsync("file", "'sharing.functions' is [f], which this release cannot do yet", "`start` refuses the file as it is", yaml: $"{Local}\nsharing: {{functions: [f]}}");

    [Fact]
    public async Task Loopback_alone_is_no_address_for_nodes()
    {
        _machine.Addresses = [IPAddress.Loopback];
        await BreaksAsync("addresses", "managers could dial 127.0.0.1 only, which no other machine reaches (interfaces: lo)", "name an interface in `interfaces` that compute nodes reach", yaml: $"{Slurm}\ninterfaces: [lo]");
    }

    [Fact]
    public async Task An_interface_that_is_not_there_is_found()
    {
        _machine.AddressProblem = "this machine has no network interface 'hsn0' (interfaces); it has lo, eth0";
        await BreaksAsync("addresses", "this machine has no network interface 'hsn0'", "as `ip -br address` lists them", yaml: Slurm);
    }

    [Fact]
    public async Task A_machine_whose_own_name_has_no_address_is_a_warning()
    {
        _machine.OwnName = [];
        await BreaksAsync("addresses", "this machine's own name 'login1' has no address", "/etc/hosts", FindingState.Warning, Slurm);
    }

    [Theory]
    [InlineData("slurm", "sbatch squeue scancel")]
    [InlineData("pbs", "qsub qstat qdel qselect")]
    [InlineData("cobalt", "qsub qstat qdel")]
    public async Task Each_command_of_a_scheduler_that_is_not_in_PATH_is_found(string kind, string commands)
    {
        foreach (var missing in commands.Split(' '))
        {
            var machine = new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31"));
            foreach (var command in commands.Split(' '))
                machine.Played[command] = static _ => EndpointDoctorMachine.Answer(0, "");
            machine.Played.Remove(missing);
            await BreaksAsync("scheduler", $"{missing} of {kind} is not in PATH", $"`module load {kind}`", yaml: $"provider: {{type: {kind}, walltime: 1h}}", machine: machine);
        }
    }

    [Theory]
    [InlineData("sacct")]
    [InlineData("scontrol")]
    public async Task A_command_that_Slurm_can_do_without_is_a_warning(string missing)
    {
        _machine.Played.Remove(missing);
        await BreaksAsync("scheduler", $"{missing} of slurm is not in PATH, so that less is known of how jobs ended", "`module load slurm`", FindingState.Warning, Slurm);
    }

    [Fact]
    public async Task A_PBS_server_without_job_history_is_a_warning_and_one_that_has_it_is_well()
    {
        const string Pbs = "provider: {type: pbs, walltime: 1h}";
        foreach (var command in (string[])["qsub", "qselect", "qdel"])
            _machine.Played[command] = static _ => EndpointDoctorMachine.Answer(0, "");
        _machine.Played["qstat"] = static _ => EndpointDoctorMachine.Answer(153, "", "qstat: Unknown Job Id 1.head\n");
        (await ExamineAsync(Pbs)).Where(IsBad).ShouldBeEmpty();
        // With exit code 0: at the end of OpenPBS's qstat.c.
        _machine.Played["qstat"] = static command => EndpointDoctorMachine.Answer(0, "", command.Arguments.Contains("-x") ? "qstat: PBS is not configured to maintain job history 1.head\n" : "");
        await BreaksAsync("scheduler", "pbs does not tell how jobs ended", "job_history_enable = True", FindingState.Warning, Pbs);
    }

    [Fact]
    public async Task A_controller_that_does_not_answer_is_found()
    {
        _machine.Played["squeue"] = static _ => EndpointDoctorMachine.Answer(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n");
        await BreaksAsync("scheduler", "slurm gives no answer to `squeue -h -t all -u ", "run that command by hand", yaml: Slurm);
    }

    [Fact]
    public async Task A_controller_that_never_answers_is_found()
    {
        _machine.Played["squeue"] = static _ => Task.FromResult(new CommandOutput(-1, "", "no answer within 100 s", TimedOut: true));
        await BreaksAsync("scheduler", "no answer within 100 s", "run that command by hand", yaml: Slurm);
    }

    [Fact]
    public async Task A_script_that_Slurm_would_refuse_is_found_with_its_words_and_the_key_to_look_at()
    {
        var script = "";
        _machine.Played["sbatch"] = command =>
        {
            command.Arguments[0].ShouldBe("--test-only");
            script = File.ReadAllText(command.Arguments[1]);
            return EndpointDoctorMachine.Answer(1, "", "sbatch: error: invalid partition specified: debg\nallocation failure: Invalid partition name specified\n");
        };
        await BreaksAsync("script", "Slurm would refuse the batch script of this file (exit 1): \"sbatch: error: invalid partition specified: debg / allocation failure: Invalid partition name specified\"", "check provider.partition",
            yaml: "provider: {type: slurm, walltime: 1h, partition: debg}");
        script.ShouldContain("#SBATCH --partition=debg");
    }

    [Fact]
    public async Task A_controller_that_does_not_say_whether_it_would_take_the_script_is_a_warning()
    {
        _machine.Played["sbatch"] = static _ => EndpointDoctorMachine.Answer(1, "", "sbatch: error: Socket timed out on send/recv operation\n");
        await BreaksAsync("script", "Slurm did not say whether it would take the script", "when its controller answers", FindingState.Warning, Slurm);
    }

    [Theory]
    [InlineData("detect", "no launcher is there that launcher.type detect can be; what was found: none", "in provider.init, or name another one in launcher.type")]
    [InlineData("mpirun", "no launcher is there that launcher.type mpirun can be", "load the MPI of the machine (module load) in provider.init")]
    [InlineData("srun", "no launcher is there that launcher.type srun can be", "launcher.type")]
    public async Task A_machine_without_a_launcher_is_found(string type, string seen, string cure) => await BreaksAsync("mpi", seen, cure, yaml: Mpi("init: 'PATH=BIN'", type));

    [Fact]
    public async Task A_launcher_of_another_MPI_than_the_file_names_is_found()
    {
        WriteOpenMpi();
        await BreaksAsync("mpi", $"launcher.type mpiexec can be; what was found: {_bin}/mpirun", "name another one in launcher.type", yaml: Mpi("init: 'PATH=BIN'", "mpiexec"));
    }

    [Fact]
    public async Task A_library_that_cannot_be_loaded_is_found()
    {
        WriteOpenMpi();
        await BreaksAsync("mpi", $"{_bin}/mpirun is there, and no MPI library that its ranks could load: funcx-manager: no libmpi", "FUNCX_MPI_LIBRARY", yaml: Mpi("init: 'PATH=BIN'"),
            machine: new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31", "echo 'funcx-manager: no libmpi' >&2; exit 69")));
    }

    [Fact]
    public async Task A_library_that_is_not_the_launchers_is_found()
    {
        WriteOpenMpi();
        await BreaksAsync("mpi", $"ranks would load /opt/mpich/lib/libmpi.so.12 (MPICH Version: 4.0.2), which has MPICH's ABI, and {_bin}/mpirun starts ranks of another MPI: each would be a world of its own", "load one MPI only",
            yaml: Mpi("init: 'PATH=BIN'"), machine: new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31", "printf 'mpich\\n/opt/mpich/lib/libmpi.so.12\\nMPICH Version: 4.0.2\\n'")));
    }

    [Fact]
    public async Task An_srun_by_which_ranks_do_not_find_each_other_is_found()
    {
        _scratch.Write("bin/srun", "#!/bin/sh\n[ \"$1\" = --version ] && echo slurm 22.05.8 || printf 'MPI plugin types are...\\n\\tnone\\n\\tpmi2\\n'\n", FileModes.PrivateDirectory);
        await BreaksAsync("mpi", "srun has no --mpi=pmix, which that library needs", "another launcher in launcher.type", yaml: Mpi("init: 'PATH=BIN'"));
        Of(await ExamineAsync(Mpi("init: 'PATH=BIN'", "srun, arguments: ['--mpi=pmix_v4']")), "mpi").State.ShouldBe(FindingState.Ok);
    }

    [Fact]
    public async Task A_launcher_that_would_serve_is_of_no_use_when_the_agent_takes_another()
    {
        WriteOpenMpi();
        _scratch.Write("bin/mpiexec", "#!/bin/sh\necho 'mpiexec version 1.8.0 revision 6b4e2c1'\n", FileModes.PrivateDirectory);
        await BreaksAsync("mpi", $"{_bin}/mpiexec starts ranks of another MPI", "or another launcher in launcher.type", yaml: Mpi("init: 'PATH=BIN'"));
        Of(await ExamineAsync(Mpi("init: 'PATH=BIN'", "mpirun")), "mpi").State.ShouldBe(FindingState.Ok);
    }

    [Fact]
    public async Task Lines_of_the_site_that_end_a_batch_script_are_found() =>
        await BreaksAsync("mpi", "provider.init ended its shell (exit 4): no module", "an `exit` among them", yaml: Mpi("init: 'echo no module >&2; exit 4'"));

    [Fact]
    public async Task A_check_that_hangs_holds_up_no_other_for_longer_than_its_limit()
    {
        var time = new FakeTimeProvider();
        var hangs = new PlayedCheck("hangs", async _ =>
        {
            await new TaskCompletionSource().Task;
            return [];
        });
        var findings = new Examination([hangs, new PlayedCheck("other", static _ => Task.FromResult<IReadOnlyList<Finding>>([Finding.Ok("other", "well")]))], time).RunAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        var first = findings.MoveNextAsync().AsTask();
        await Eventually.True(() =>
        {
            time.Advance(TimeSpan.FromMinutes(1));
            return first.IsCompleted;
        });
        (await first).ShouldBeTrue();
        findings.Current.ToString().ShouldStartWith("hangs        problem  there was no answer within 240 s. Cure: ");
        (await findings.MoveNextAsync()).ShouldBeTrue();
        findings.Current.ToString().ShouldBe("other        ok       well");
        (await findings.MoveNextAsync()).ShouldBeFalse();
    }

    public void Dispose() => _scratch.Dispose();

    private static bool IsBad(Finding finding) => finding.State is FindingState.Warning or FindingState.Problem;

    private static Finding Of(IReadOnlyList<Finding> findings, string check) => findings.Where(finding => finding.Check == check).ShouldHaveSingleItem();

    private static int PortOfPlainText()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = Task.Run(async () =>
        {
            using var peer = await listener.AcceptTcpClientAsync();
            await peer.GetStream().WriteAsync(Encoding.ASCII.GetBytes("220 mail.example.org ESMTP\r\n"));
            peer.Client.Shutdown(SocketShutdown.Send);
            listener.Dispose();
        });
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private string Yaml(string keys) => $"name: a\nservice: https://funcx.example.org\nstate_dir: {State}\n{keys}\n{(keys.Contains("workers:", StringComparison.Ordinal) ? "" : $"workers: {{per_node: 1, python: {Python}}}\n")}";

    private string Mpi(string provider, string launcher = "detect") =>
        $"provider: {{type: slurm, walltime: 1h, {provider.Replace("BIN", _bin, StringComparison.Ordinal)}}}\ntransport: mpi\nlauncher: {{type: {launcher}}}";

    private async Task<IReadOnlyList<Finding>> ExamineAsync(string yaml, EndpointDoctorMachine? machine = null, string? tokenFile = null)
    {
        tokenFile ??= Path.Combine(_scratch.Path, "token");
        if (tokenFile.EndsWith("/token", StringComparison.Ordinal) && !File.Exists(tokenFile))
            _scratch.Write("token", "fxt_secret");
        var file = EndpointConfigurationFile.Parse("a.yaml", Yaml(yaml));
        file.Errors.ShouldBeEmpty();
        var findings = new List<Finding>();
        await foreach (var finding in new Examination(DoctorChecks.Of(file, machine ?? _machine, tokenFile, null, TimeProvider.System, static _ => { }), TimeProvider.System).RunAsync(TestContext.Current.CancellationToken))
            findings.Add(finding);
        return findings;
    }

    /// <summary>Exactly this is found, and with this cure.</summary>
    private async Task<Finding> BreaksAsync(string check, string seen, string cure, FindingState state = FindingState.Problem, string yaml = Local, EndpointDoctorMachine? machine = null)
    {
        var finding = (await ExamineAsync(yaml, machine)).Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.State).ShouldBe((check, state), finding.ToString());
        finding.Seen.ShouldContain(seen);
        finding.Cure.ShouldContain(cure);
        return finding;
    }

    // A script in the place of the program; the comment is what GlibcNeed reads.
    private string WriteManager(string version, string glibc, string library = "printf 'openmpi\\n/opt/mpi/lib/libmpi.so.40\\nOpen MPI v4.1.4\\n'") => _scratch.Write($"manager-{Guid.NewGuid():N}",
        $"#!/bin/sh\n# GLIBC_{glibc}\ncase $1 in\n--version) echo 'funcx-manager {version}, protocol 1 to 1' ;;\n--mpi-library) {library} ;;\nesac\n", FileModes.PrivateDirectory);

    private void WriteOpenMpi() => _scratch.Write("bin/mpirun", "#!/bin/sh\necho 'mpirun (Open MPI) 4.1.4'\n", FileModes.PrivateDirectory);

    private sealed class PlayedCheck(string name, Func<CancellationToken, Task<IReadOnlyList<Finding>>> examine) : IDoctorCheck
    {
        public string Name => name;

        public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation) => examine(cancellation);
    }
}
