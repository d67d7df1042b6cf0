using System.Text;
using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The manager, its glibc and Python, as the doctor finds them.</summary>
public sealed class EndpointDoctorProgramsTests : EndpointDoctorHarness
{
    [Fact]
    public async Task A_manager_that_is_not_there_is_found_and_what_would_look_at_it_is_not_tried()
    {
        Machine.ManagerProblem = "funcx-manager was not found; looked at /a, /b. Set FUNCX_MANAGER to its path.";
        var findings = await ExamineAsync(Mpi("init: 'PATH=BIN'"));
        var finding = findings.Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.Seen, finding.Cure).ShouldBe(("manager", "funcx-manager was not found; looked at /a, /b", "Set FUNCX_MANAGER to its path"));
        foreach (var check in (string[])["glibc", "mpi"])
            Of(findings, check).State.ShouldBe(FindingState.Skipped);
    }

    [Fact]
    public async Task A_manager_that_does_not_start_is_found() =>
        await BreaksAsync("manager", "--version ended with 127: it lacks libz.so.1", "unpack the release again",
            machine: new EndpointDoctorMachine(Scratch.Write("m", "#!/bin/sh\n# GLIBC_2.31\necho 'it lacks libz.so.1' >&2\nexit 127\n", FileModes.PrivateDirectory)));

    [Fact]
    public async Task A_manager_that_is_no_program_is_found() =>
        await BreaksAsync("manager", "cannot be started", "--version` to see", machine: new EndpointDoctorMachine(Scratch.Write("m", "GLIBC_2.31", FileModes.PrivateDirectory)));

    [Fact]
    public async Task A_manager_of_another_release_is_found() =>
        await BreaksAsync("manager", $"is another release than this endpoint, {ProtocolVersion.Product}", "install the same release of both", machine: new EndpointDoctorMachine(WriteManager("0.0.1", "2.31")));

    [Fact]
    public async Task A_glibc_that_is_too_old_is_found_with_both_numbers()
    {
        Machine.Glibc = new Version(2, 28);
        await BreaksAsync("glibc", "needs glibc 2.31, and this machine has 2.28", "where glibc is 2.31 or newer");
    }

    [Fact]
    public async Task A_manager_that_needs_more_than_a_release_does_is_a_warning() =>
        await BreaksAsync("glibc", "needs glibc 2.34, which this machine has (2.36) and older compute nodes have not", "eng/sysroot", FindingState.Warning, machine: new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.34")));

    [Fact]
    public async Task Another_C_library_is_found()
    {
        Machine.Glibc = null;
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
        Scratch.Write("bin/ender.py", "import os\nos.write(1, b'last words\\n')\nos._exit(5)\n");
        var old = Scratch.Write("old", "#!/bin/sh\nprintf '\\n==funcx version 3.7.9 /opt/old\\n'\n", FileModes.PrivateDirectory);
        await BreaksAsync("python", seen, cure, yaml: $"{Local}\nworkers: {{{workers.Replace("BIN", Bin, StringComparison.Ordinal).Replace("OLD", old, StringComparison.Ordinal)}{(workers.Contains("python:", StringComparison.Ordinal) ? "" : $", python: {Python}")}}}");
    }

    [Fact]
    public async Task Workers_that_only_wait_need_no_Python_and_files_that_only_nodes_have_are_not_looked_for()
    {
        Of(await ExamineAsync($"{Local}\nworkers: {{init: '. $FUNCX_STAGE_DIR/set', python: {Python}}}"), "python").State.ShouldBe(FindingState.Skipped);
        Of(await ExamineAsync($"{Local}\ntransport: mpi\nworkers: {{simulate: true, python: none-at-all}}"), "python").State.ShouldBe(FindingState.Skipped);
    }
}
