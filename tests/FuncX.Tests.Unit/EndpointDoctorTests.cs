using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>
/// <c>funcx-endpoint doctor</c> as a whole: a machine that is well, a file that this release cannot do, a check that hangs. What can be wrong with the machine is in
/// <see cref="EndpointDoctorStateTests"/>, <see cref="EndpointDoctorServiceTests"/>, <see cref="EndpointDoctorProgramsTests"/> and <see cref="EndpointDoctorClusterTests"/>, what compute nodes say
/// in <see cref="EndpointDoctorNodesTests"/>.
/// </summary>
public sealed class EndpointDoctorTests : EndpointDoctorHarness
{
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
        Of(findings, "mpi").Seen.ShouldBe($"{Bin}/mpirun starts ranks, which load /opt/mpi/lib/libmpi.so.40 (Open MPI v4.1.4); this is this machine's, and nodes may differ");
        Of(findings, "python").Seen.ShouldEndWith("; this is this machine's, and nodes may differ");
        Of(findings, "nodes").State.ShouldBe(FindingState.Skipped);
        Of(findings, "nodes").Seen.ShouldContain("compute nodes were not asked; with --job a small job asks them");
    }

    [Fact]
    public void A_file_that_others_may_write_is_refused_before_anything_is_looked_at()
    {
        var file = Scratch.Write("open.yaml", Yaml(Local), FileModes.PrivateFile | UnixFileMode.OtherWrite);
        EndpointConfigurationFile.Read(file).Errors.ShouldHaveSingleItem().Message.ShouldContain($"Run: chmod go-w {file}");
    }

    [Fact]
    public async Task Containers_cannot_be_used_yet_and_that_is_said() =>
        await BreaksAsync("containers", "'containers.runtime' is apptainer, which this release cannot do yet; possible now: runtime: none", "tasks run on the node itself", yaml: $"{Local}\ncontainers: {{runtime: apptainer}}");

    [Fact]
    public async Task Other_keys_that_this_release_cannot_do_are_said() =>
        await BreaksAsync("file", "'sharing.functions' is [f], which this release cannot do yet", "`start` refuses the file as it is", yaml: $"{Local}\nsharing: {{functions: [f]}}");

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

    private sealed class PlayedCheck(string name, Func<CancellationToken, Task<IReadOnlyList<Finding>>> examine) : IDoctorCheck
    {
        public string Name => name;

        public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation) => examine(cancellation);
    }
}
