using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Mpi.Jobs;

namespace FuncX.Tests.Mpi;

/// <summary>What needs a launch of its own.</summary>
public sealed class JobTests
{
    [Theory, InlineData(Launcher.OpenMpi), InlineData(Launcher.Mpich)]
    public void An_abort_ends_all_ranks_and_the_launcher_has_its_exit_code(Launcher launcher)
    {
        var job = Job.Run(launcher, 3, Scenarios.Program, ["abort"]);
        job.ExitCode.ShouldBe(23, job.ToString());
        job.Ranks.ShouldAllBe(static rank => rank.Said["size"] == "3" && !rank.Said.ContainsKey("abort"));
    }

    [Theory, InlineData(Launcher.OpenMpi), InlineData(Launcher.Mpich)]
    public void A_null_reference_is_an_exception_even_where_the_user_has_given_the_library_the_signal(Launcher launcher)
    {
        var job = Job.Run(launcher, 1, Scenarios.Program, ["null", "finalize"],
            ("UCX_ERROR_SIGNALS", "SIGSEGV,SIGBUS,SIGILL,SIGFPE"), ("UCX_HANDLE_ERRORS", "bt"), ("OMPI_MCA_opal_signal", "6,7,8,11"));
        job.ExitCode.ShouldBe(0, job.ToString());
        job.Said("null", 1).ShouldBe(["caught"]);
    }

    [Theory, LongData(Launcher.OpenMpi), LongData(Launcher.Mpich)]
    public void Compiled_ahead_of_time_it_does_the_same(Launcher launcher)
    {
        Assert.SkipUnless(Scenarios.IsCompiled, $"{Scenarios.CompiledProgram} is missing or old: dotnet publish tests/FuncX.Tests.Mpi.Program -c Release");
        var (compiled, other) = (Scenarios.RunAllCompiled(launcher, 2), Scenarios.RunAll(launcher, 2));
        compiled.ExitCode.ShouldBe(0, compiled.ToString());
        foreach (var scenario in (string[])["size", "identity", "ring", "order", "sends", "broadcast", "misuse", "null", "finalize"])
            compiled.Said(scenario, 2).ShouldBe(other.Said(scenario, 2), compiled.ToString());
    }

    [Fact]
    public void The_environment_variable_overrides_the_usual_names_and_each_rank_of_a_foreign_launcher_is_alone()
    {
        Launchers.SkipUnlessInstalled(Launcher.OpenMpi);
        // Two that begin alone at the same moment both make the directory of their user's sessions, and Open MPI fails where it is already there: each gets a place of its own.
        var sessions = Directory.CreateTempSubdirectory("funcx-mpi-sessions-");
        var alone = Path.Combine(sessions.FullName, "alone");
        File.WriteAllText(alone, $"#!/bin/sh\nOMPI_MCA_orte_tmpdir_base=$(mktemp -d -p {sessions.FullName}) exec {Scenarios.Program} \"$@\"\n");
        File.SetUnixFileMode(alone, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var job = Job.Run(Launcher.Mpich, 2, alone, ["identity", "finalize"], ("FUNCX_MPI_LIBRARY", "libmpi.so.40"));
        sessions.Delete(recursive: true);
        job.ExitCode.ShouldBe(0, job.ToString());
        job.Said("identity", 2).ShouldAllBe(static said => said.StartsWith("OpenMpi; "));
        job.Said("size", 2).ShouldBe(["1", "1"]);
    }
}
