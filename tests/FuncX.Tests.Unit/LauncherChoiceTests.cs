using FuncX.Endpoint.Core.Launching;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Which launcher a machine has, and how srun's ranks find each other: what a block's agent goes by, and the doctor.</summary>
public sealed class LauncherChoiceTests
{
    private const string Pals = "mpiexec version 1.8.0 revision 6b4e2c1";
    private const string OpenMpi = "mpirun (Open MPI) 4.1.4\n\nReport bugs";
    private const string OpenRte = "mpiexec (OpenRTE) 4.1.4\n\nReport bugs";
    private const string Hydra = "HYDRA build details:\n    Version:  4.0.2";

    // As srun of 22.05.8 prints it (to stderr), with and without PMIx.
    private const string WithPmix = "MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\n\tcray_shasta\nspecific pmix plugin versions available: pmix_v4\n";
    private const string WithoutPmix = "MPI plugin types are...\n\tnone\n\tpmi2\n\tcray_shasta\n";
    private const string OpenMpiLibrary = "openmpi\n/lib/libmpi.so.40\nOpen MPI v4.1.4, package: Debian OpenMPI\n";
    private const string Mpich = "mpich\n/lib/libmpich.so.12\nMPICH Version: 4.0.2\n";
    private const string Cray = "mpich\n/opt/cray/libmpi_cray.so.12\nMPI VERSION    : CRAY MPICH version 8.1.25.17 (ANL base 3.4a2)\n";

    [Theory]
    [InlineData("Slurm", true, "srun", "srun", "srun")]
    [InlineData("Slurm", true, "", "mpirun", "mpirun")]
    [InlineData("Cobalt", false, "aprun", "aprun", "aprun")]
    [InlineData("Slurm", false, "aprun", null, null)]
    [InlineData("Pbs", false, "pals", "pals", "mpiexec")]
    [InlineData("", true, "", "mpirun", "mpirun")]
    [InlineData("", false, "", "mpiexec", "mpiexec.hydra")]
    [InlineData("", false, "hydra", "mpiexec", "mpiexec")]
    [InlineData("", true, "hydra", "mpirun", "mpirun.openmpi")]
    [InlineData("", true, "hydra only", "mpiexec", "mpiexec")]
    [InlineData("", false, "open only", "mpirun", "mpirun")]
    public void A_launcher_is_found_by_scheduler_and_library(string allocation, bool isOpenMpi, string machine, string? launcher, string? program)
    {
        var choice = new LauncherChoice(asked => (machine, asked) switch
        {
            ("srun", "srun") => "slurm 22.05.8",
            ("aprun", "aprun") => "aprun (ALPS) 6.6",
            ("pals", "mpiexec") => Pals,
            ("hydra" or "hydra only", "mpiexec" or "mpirun") => Hydra,
            ("hydra", "mpirun.openmpi") => OpenMpi,
            ("" or "open only", "mpirun") => OpenMpi,
            ("" or "open only", "mpiexec") => OpenRte,
            ("", "mpiexec.hydra") => Hydra,
            _ => null,
        });
        choice.Detect(allocation.Length > 0 ? [Enum.Parse<AllocationKind>(allocation)] : [], isOpenMpi).ShouldBe(launcher);
        choice.ProgramOf(launcher ?? "mpirun").ShouldBe(program);
    }

    [Theory]
    [InlineData("Slurm", 1, "srun", "srun")]
    [InlineData("Slurm", 2, "srun", "srun")]
    [InlineData("Slurm", 1, "", LauncherChoice.OwnNode)]
    [InlineData("Cobalt", 1, "aprun", "aprun")]
    [InlineData("Cobalt", 2, "mpich", "mpiexec")]
    [InlineData("Pbs", 1, "", LauncherChoice.OwnNode)]
    [InlineData("Pbs", 2, "pals", "pals")]
    [InlineData("Pbs", 2, "mpirun", "mpirun")]
    [InlineData("Pbs", 2, "", null)]
    public void Managers_that_are_no_ranks_are_started_by_what_reaches_the_jobs_nodes(string allocation, int nodes, string machine, string? launcher)
    {
        var choice = new LauncherChoice(asked => (machine, asked) switch
        {
            ("srun", "srun") => "slurm 22.05.8",
            ("aprun", "aprun") => "aprun (ALPS) 6.6",
            ("pals", "mpiexec") => Pals,
            ("mpich", "mpiexec") => Hydra,
            ("mpirun", "mpirun") => OpenMpi,
            _ => null,
        });
        choice.ForManagers([Enum.Parse<AllocationKind>(allocation)], nodes).ShouldBe(launcher);
    }

    [Theory]
    [InlineData(true, "srun")]
    [InlineData(false, "mpirun")]
    public void In_a_Slurm_that_the_library_cannot_talk_to_its_own_launcher_is_taken(bool srunServes, string launcher)
    {
        var choice = new LauncherChoice(static asked => asked switch { "srun" => "slurm 22.05.8", "mpirun" => OpenMpi, _ => null });
        choice.Detect([AllocationKind.Slurm], isOpenMpi: true, srunServes).ShouldBe(launcher);
        new LauncherChoice(static asked => asked == "srun" ? "slurm 22.05.8" : null).Detect([AllocationKind.Slurm], isOpenMpi: true, srunServes).ShouldBe("srun");
    }

    [Fact]
    public void Where_there_is_none_it_is_said_what_was_looked_for()
    {
        var choice = new LauncherChoice(static asked => asked == "mpiexec" ? "mpiexec of something else 1.0" : null);
        choice.Detect([AllocationKind.Slurm], isOpenMpi: true).ShouldBeNull();
        choice.Tried.ShouldBe("srun is not there; mpiexec says 'mpiexec of something else 1.0'; mpirun is not there; mpirun.openmpi is not there; mpiexec.hydra is not there");
        choice.ProgramOf("torque").ShouldBeNull();
    }

    [Theory]
    [InlineData(OpenMpiLibrary, WithPmix, "pmix", true)]
    [InlineData(OpenMpiLibrary, WithoutPmix, null, false)]
    [InlineData(Mpich, WithPmix, "pmi2", true)]
    [InlineData(Mpich, "MPI plugin types are...\n\tnone\n", null, false)]
    [InlineData(Cray, WithPmix, "cray_shasta", true)]
    [InlineData(Cray, "MPI plugin types are...\n\tnone\n\tpmi2\n", null, true)]
    [InlineData("no usable MPI library", WithPmix, null, true)]
    [InlineData(OpenMpiLibrary, null, null, true)]
    public void The_way_that_ranks_find_each_other_follows_from_library_and_Slurm(string library, string? list, string? kind, bool serves)
    {
        SlurmMpi.Choose(RankLibrary.Parse(library), list).ShouldBe(kind);
        (SlurmMpi.Problem(RankLibrary.Parse(library), list, static _ => "").Length == 0).ShouldBe(serves);
    }

    [Fact]
    public void A_way_that_is_listed_and_comes_to_nothing_is_told_with_what_srun_says()
    {
        SlurmMpi.Problem(RankLibrary.Parse(OpenMpiLibrary), WithPmix, static kind => $"{kind}: can not load PMIx library").ShouldBe("srun --mpi=pmix does not work here: pmix: can not load PMIx library");
        SlurmMpi.Problem(RankLibrary.Parse(OpenMpiLibrary), WithoutPmix, static _ => "never asked").ShouldContain("no --mpi=pmix, which Open MPI v4.1.4");
    }

    [Fact]
    public void A_library_is_read_as_it_was_written()
    {
        var library = new RankLibrary(true, "/lib/libmpi.so.40", "Open MPI v4.1.4, package: Debian OpenMPI");
        RankLibrary.Parse(OpenMpiLibrary).ShouldBe(library);
        RankLibrary.Parse(library.Text).ShouldBe(library);
        RankLibrary.Parse("funcx-manager: no libmpi").ShouldBeNull();
    }
}
