using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using FuncX.Providers.Batch;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The scheduler and the launcher of MPI, as the doctor finds them.</summary>
public sealed class EndpointDoctorClusterTests : EndpointDoctorHarness
{
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
        Machine.Played.Remove(missing);
        await BreaksAsync("scheduler", $"{missing} of slurm is not in PATH, so that less is known of how jobs ended", "`module load slurm`", FindingState.Warning, Slurm);
    }

    [Fact]
    public async Task A_PBS_server_without_job_history_is_a_warning_and_one_that_has_it_is_well()
    {
        const string Pbs = "provider: {type: pbs, walltime: 1h}";
        foreach (var command in (string[])["qsub", "qselect", "qdel"])
            Machine.Played[command] = static _ => EndpointDoctorMachine.Answer(0, "");
        Machine.Played["qstat"] = static _ => EndpointDoctorMachine.Answer(153, "", "qstat: Unknown Job Id 1.head\n");
        (await ExamineAsync(Pbs)).Where(IsBad).ShouldBeEmpty();
        // With exit code 0: at the end of OpenPBS's qstat.c.
        Machine.Played["qstat"] = static command => EndpointDoctorMachine.Answer(0, "", command.Arguments.Contains("-x") ? "qstat: PBS is not configured to maintain job history 1.head\n" : "");
        await BreaksAsync("scheduler", "pbs does not tell how jobs ended", "job_history_enable = True", FindingState.Warning, Pbs);
    }

    [Fact]
    public async Task A_controller_that_does_not_answer_is_found()
    {
        Machine.Played["squeue"] = static _ => EndpointDoctorMachine.Answer(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n");
        await BreaksAsync("scheduler", "slurm gives no answer to `squeue -h -t all -u ", "run that command by hand", yaml: Slurm);
    }

    [Fact]
    public async Task A_controller_that_never_answers_is_found()
    {
        Machine.Played["squeue"] = static _ => Task.FromResult(new CommandOutput(-1, "", "no answer within 100 s", TimedOut: true));
        await BreaksAsync("scheduler", "no answer within 100 s", "run that command by hand", yaml: Slurm);
    }

    [Fact]
    public async Task A_script_that_Slurm_would_refuse_is_found_with_its_words_and_the_key_to_look_at()
    {
        var script = "";
        Machine.Played["sbatch"] = command =>
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
        Machine.Played["sbatch"] = static _ => EndpointDoctorMachine.Answer(1, "", "sbatch: error: Socket timed out on send/recv operation\n");
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
        await BreaksAsync("mpi", $"launcher.type mpiexec can be; what was found: {Bin}/mpirun", "name another one in launcher.type", yaml: Mpi("init: 'PATH=BIN'", "mpiexec"));
    }

    [Fact]
    public async Task A_library_that_cannot_be_loaded_is_found()
    {
        WriteOpenMpi();
        await BreaksAsync("mpi", $"{Bin}/mpirun is there, and no MPI library that its ranks could load: funcx-manager: no libmpi", "FUNCX_MPI_LIBRARY", yaml: Mpi("init: 'PATH=BIN'"),
            machine: new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31", "echo 'funcx-manager: no libmpi' >&2; exit 69")));
    }

    [Fact]
    public async Task A_library_that_is_not_the_launchers_is_found()
    {
        WriteOpenMpi();
        await BreaksAsync("mpi", $"ranks would load /opt/mpich/lib/libmpi.so.12 (MPICH Version: 4.0.2), which has MPICH's ABI, and {Bin}/mpirun starts ranks of another MPI: each would be a world of its own", "load one MPI only",
            yaml: Mpi("init: 'PATH=BIN'"), machine: new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31", "printf 'mpich\\n/opt/mpich/lib/libmpi.so.12\\nMPICH Version: 4.0.2\\n'")));
    }

    [Fact]
    public async Task An_srun_by_which_ranks_do_not_find_each_other_is_found()
    {
        Scratch.Write("bin/srun", "#!/bin/sh\n[ \"$1\" = --version ] && echo slurm 22.05.8 || printf 'MPI plugin types are...\\n\\tnone\\n\\tpmi2\\n'\n", FileModes.PrivateDirectory);
        await BreaksAsync("mpi", "srun has no --mpi=pmix, which that library needs", "another launcher in launcher.type", yaml: Mpi("init: 'PATH=BIN'"));
        Of(await ExamineAsync(Mpi("init: 'PATH=BIN'", "srun, arguments: ['--mpi=pmix_v4']")), "mpi").State.ShouldBe(FindingState.Ok);
    }

    [Fact]
    public async Task A_launcher_that_would_serve_is_of_no_use_when_the_agent_takes_another()
    {
        WriteOpenMpi();
        Scratch.Write("bin/mpiexec", "#!/bin/sh\necho 'mpiexec version 1.8.0 revision 6b4e2c1'\n", FileModes.PrivateDirectory);
        await BreaksAsync("mpi", $"{Bin}/mpiexec starts ranks of another MPI", "or another launcher in launcher.type", yaml: Mpi("init: 'PATH=BIN'"));
        Of(await ExamineAsync(Mpi("init: 'PATH=BIN'", "mpirun")), "mpi").State.ShouldBe(FindingState.Ok);
    }

    [Fact]
    public async Task Lines_of_the_site_that_end_a_batch_script_are_found() =>
        await BreaksAsync("mpi", "provider.init ended its shell (exit 4): no module", "an `exit` among them", yaml: Mpi("init: 'echo no module >&2; exit 4'"));
}
