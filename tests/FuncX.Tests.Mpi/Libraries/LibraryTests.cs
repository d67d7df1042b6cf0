using FuncX.Mpi;
using FuncX.Mpi.Loading;
using FuncX.Tests.Mpi.Jobs;

namespace FuncX.Tests.Mpi.Libraries;

public sealed class LibraryTests
{
    [Fact]
    public void A_configured_library_is_the_only_one_tried_and_then_the_one_of_the_variable()
    {
        static string? Environment(string name) => name == "FUNCX_MPI_LIBRARY" ? "/opt/variable.so" : null;
        LibraryNames.InOrder("/opt/configured.so", Environment).ShouldHaveSingleItem().Name.ShouldBe("/opt/configured.so");
        LibraryNames.InOrder(null, Environment).ShouldHaveSingleItem().Name.ShouldBe("/opt/variable.so");
    }

    [Theory]
    [InlineData("", "libmpi.so.40")]
    [InlineData("OMPI_COMM_WORLD_SIZE", "libmpi.so.40")]
    [InlineData("PMIX_RANK", "libmpi.so.40")]
    [InlineData("PMIX_RANK PMI_RANK", "libmpi.so.40")]
    [InlineData("PMI_RANK", "libmpi.so.12")]
    [InlineData("PMI_FD", "libmpi.so.12")]
    [InlineData("PALS_RANKID", "libmpi.so.12")]
    [InlineData("ALPS_APP_PE", "libmpi.so.12")]
    public void The_usual_names_begin_with_those_of_the_launcher(string set, string first)
    {
        var names = LibraryNames.InOrder(null, name => set.Split(' ').Contains(name) ? "0" : null).Select(static candidate => candidate.Name).ToList();
        names[0].ShouldBe(first);
        names[^1].ShouldBe("libmpi.so");
        names.ShouldBeUnique();
        foreach (var usual in (string[])["libmpi.so.40", "libmpi.so.12", "libmpich.so.12", "libmpi_cray.so.12"])
            names.ShouldContain(usual);
    }

    [Fact]
    public void When_none_is_usable_the_error_lists_what_was_tried_and_why_not()
    {
        var problem = Should.Throw<MpiLibraryException>(() => LibraryLoader.Load([new("libnothing.so.1", "a usual name"), new("/etc/passwd", "a usual name"), new("libm.so.6", "a usual name")]));
        problem.Tried.Select(static attempt => attempt.Name).ShouldBe(["libnothing.so.1", "/etc/passwd", "libm.so.6"]);
        problem.Tried[0].Reason.ShouldContain("No such file");
        problem.Tried[1].Reason.ShouldContain("ELF");
        problem.Tried[2].Reason.ShouldStartWith("it is no MPI 3 library: it lacks MPI_");
        foreach (var attempt in problem.Tried)
            problem.Message.ShouldContain($"{attempt.Name} (a usual name): {attempt.Reason}");
        problem.Message.ShouldContain("FUNCX_MPI_LIBRARY");
    }

    [Theory]
    [InlineData("/nowhere/libmpi.so", "No such file")]
    [InlineData("libm.so.6", "it is no MPI 3 library: it lacks MPI_Initialized, MPI_Init_thread, MPI_Finalize and ")]
    public void A_program_whose_library_is_no_MPI_says_so(string library, string reason)
    {
        var job = Job.RunAlone(Scenarios.Program, ["identity"], ("FUNCX_MPI_LIBRARY", library));
        job.ExitCode.ShouldBe(3, job.ToString());
        job.Output.ShouldContain($"{library} (FUNCX_MPI_LIBRARY names it): ");
        job.Output.ShouldContain(reason);
    }

    // The first row shows that the library is good otherwise.
    [Theory]
    [InlineData(0, "", "")]
    [InlineData(3, "it says it is \"SomeMPI 1.0\" and has neither", "VERSION=\"SomeMPI 1.0\"")]
    [InlineData(3, "the binary interface that MPI 5 standardised", "STANDARD=1")]
    [InlineData(0, "", "STANDARD=-1")]
    [InlineData(3, "one thread only (MPI_THREAD_SINGLE)", "GRANTED=0")]
    [InlineData(3, "it says this is rank 1 of 1", "RANK=1")]
    [InlineData(3, "it says rank 0 of 2, expected 0 of 1", "SELF_SIZE=2")]
    [InlineData(3, "the status after probing says source 12345, tag 0, 13 bytes; expected 0, 12345, 13", "SOURCE_AT=3 TAG_AT=2")]
    [InlineData(3, "the status after probing is longer than 20 bytes", "STATUS_INTS=6")]
    [InlineData(3, "a message handle is wider than 4 bytes", "WIDE_HANDLES")]
    [InlineData(3, "a finished request is 0x3, expected 0x2c000000", "NULL_REQUEST=3")]
    [InlineData(3, "came with other bytes", "SPOIL")]
    [InlineData(3, "did not arrive", "LOSE")]
    [InlineData(4, "failed (code 5, class 5): \"the fake's text\"", "INIT_FAILS=5")]
    public void A_library_that_is_not_what_it_seems_is_refused_before_it_is_used(int exitCode, string reason, string definitions)
    {
        using var library = new FakeLibrary(definitions.StartsWith("VERSION", StringComparison.Ordinal) ? [definitions] : definitions.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var job = Job.RunAlone(Scenarios.Program, ["identity", "finalize"], ("FUNCX_MPI_LIBRARY", library.Path));
        job.ExitCode.ShouldBe(exitCode, job.ToString());
        job.Output.ShouldContain(reason);
        if (exitCode != 0)
            job.Output.ShouldContain(library.Path);
    }

    /// <summary>By what the libraries of supercomputers say of themselves (MPI_Get_library_version).</summary>
    [Theory]
    [InlineData(MpiAbi.Mpich, "MPICH Version:      4.2.3\nMPICH Release date: Thu Oct  3 09:47:59 CDT 2024")]
    [InlineData(MpiAbi.Mpich, "Intel(R) MPI Library 2021.11 for Linux* OS")]
    [InlineData(MpiAbi.Mpich, "MPI VERSION    : CRAY MPICH version 8.1.28.29 (ANL base 3.4a2)\nMPI BUILD INFO : Tue Nov 21 21:59 2023")]
    [InlineData(MpiAbi.Mpich, "MVAPICH2 Version      :\t2.3.7\nMVAPICH2 Release date :\tWed March 02 22:00:00 EST 2022")]
    [InlineData(MpiAbi.Mpich, "MVAPICH Version      :\t3.0")]
    [InlineData(MpiAbi.Mpich, "ParaStation MPI 5.11.0-1")]
    [InlineData(MpiAbi.OpenMpi, "Open MPI v4.1.6, package: Debian OpenMPI, ident: 4.1.6, repo rev: v4.1.6, Sep 30, 2023")]
    [InlineData(MpiAbi.OpenMpi, "Open MPI v5.0.7, package: Open MPI root@host Distribution, ident: 5.0.7, repo rev: v5.0.7, Feb 14, 2025")]
    public void The_libraries_of_supercomputers_are_told_apart_by_what_they_say_and_export(MpiAbi expected, string version)
    {
        using var library = Saying(version, expected == MpiAbi.OpenMpi ? ["OPEN_MPI=2"] : []);
        var loaded = LibraryLoader.Load([new(library.Path, "a test names it")]);
        loaded.Library.ShouldBe(new MpiLibrary(library.Path, expected, version));
        loaded.Layout.Abi.ShouldBe(expected);
    }

    [Theory]
    // What it exports counts, and not its name.
    [InlineData("MPICH Version: 4.2.3", "it looks like Open MPI (\"MPICH Version: 4.2.3\") and does not export ompi_mpi_comm_self, ompi_mpi_byte, ompi_mpi_errors_return and 1 more", "OPEN_MPI=1")]
    [InlineData("Open MPI v5.0.7, package: x", "it looks like Open MPI (\"Open MPI v5.0.7, package: x\") and does not export ompi_mpi_comm_self, ompi_mpi_byte, ompi_mpi_errors_return and 1 more", "OPEN_MPI=1")]
    [InlineData("Open MPI v5.0.7, package: x", "it says it is \"Open MPI v5.0.7, package: x\" and has neither Open MPI's binary interface nor, by that name, MPICH's")]
    [InlineData("HPE MPT 2.26\nbuilt today", "it says it is \"HPE MPT 2.26\" and has neither Open MPI's binary interface nor, by that name, MPICH's")]
    public void A_library_of_neither_kind_is_refused_with_what_it_says_and_lacks(string version, string reason, params string[] definitions)
    {
        using var library = Saying(version, definitions);
        Should.Throw<MpiLibraryException>(() => LibraryLoader.Load([new(library.Path, "a test names it")])).Tried.ShouldHaveSingleItem().Reason.ShouldBe(reason);
    }

    [Fact]
    public void A_library_with_Open_MPIs_binary_interface_passes_the_test_of_itself_and_is_used()
    {
        const string Version = "Open MPI v5.0.7, package: Open MPI root@host Distribution";
        using var library = Saying(Version, "OPEN_MPI=2");
        var job = Job.RunAlone(Scenarios.Program, ["identity", "finalize"], ("FUNCX_MPI_LIBRARY", library.Path));
        job.ExitCode.ShouldBe(0, job.ToString());
        var said = job.Said("identity", 1).ShouldHaveSingleItem();
        said.ShouldStartWith("OpenMpi; ");
        said.ShouldEndWith($"; {Version}");
    }

    [Fact]
    public void A_send_that_fails_later_is_told_with_its_error_and_the_others_are_not_disturbed()
    {
        using var library = new FakeLibrary("FAILING_TAG=5");
        var job = Job.RunAlone(Scenarios.Program, ["failing-send", "finalize"], ("FUNCX_MPI_LIBRARY", library.Path));
        job.ExitCode.ShouldBe(0, job.ToString());
        job.Said("failing-send", 1).ShouldBe(["tag 6 0, tag 5 77 \"the fake's text\", tag 4 0, tag 3 0"]);
    }

    private static FakeLibrary Saying(string version, params string[] definitions) =>
        new([$"VERSION=\"{version.Replace("\n", "\\n", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal)}\"", .. definitions]);
}
