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

    [Fact]
    public void A_send_that_fails_later_is_told_with_its_error_and_the_others_are_not_disturbed()
    {
        using var library = new FakeLibrary("FAILING_TAG=5");
        var job = Job.RunAlone(Scenarios.Program, ["failing-send", "finalize"], ("FUNCX_MPI_LIBRARY", library.Path));
        job.ExitCode.ShouldBe(0, job.ToString());
        job.Said("failing-send", 1).ShouldBe(["tag 6 0, tag 5 77 \"the fake's text\", tag 4 0, tag 3 0"]);
    }
}
