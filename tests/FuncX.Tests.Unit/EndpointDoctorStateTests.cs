using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The state directory, the token, the disk and the limits, as the doctor finds them.</summary>
public sealed class EndpointDoctorStateTests : EndpointDoctorHarness
{
    private const string NoSpace = "No space left on device";
    private const string NoQuota = "Disk quota exceeded";

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
        Scratch.Write("state", "a file");
        await BreaksAsync("permissions", "is a file; expected a directory", "Name another in the configuration");
    }

    [Fact]
    public async Task A_token_that_others_may_read_is_found()
    {
        var token = Scratch.Write("token", "fxt_secret", FileModes.PrivateFile | UnixFileMode.GroupRead);
        var finding = await BreaksAsync("token", "holds a secret but others may read or write it (0640)", $"Run: chmod 600 {token}");
        finding.ToString().ShouldNotContain("fxt_secret");
    }

    [Fact]
    public async Task A_token_that_is_not_there_is_found()
    {
        var finding = (await ExamineAsync(Local, tokenFile: Path.Combine(Scratch.Path, "none"))).Where(IsBad).ShouldHaveSingleItem();
        finding.Check.ShouldBe("token");
        finding.Cure.ShouldContain("--token-file FILE");
    }

    [Fact]
    public async Task An_endpoint_that_is_registered_needs_no_token_but_its_identity_must_be_private()
    {
        Directory.CreateDirectory(State, FileModes.PrivateDirectory);
        var identity = Scratch.Write("state/identity.json", """{"endpoint_id": "e1", "credential": "c", "service": "https://funcx.example.org", "name": "a"}""");
        var none = Path.Combine(Scratch.Path, "none");
        Of(await ExamineAsync(Local, tokenFile: none), "token").Seen.ShouldStartWith("registered at https://funcx.example.org as e1");
        File.SetUnixFileMode(identity, FileModes.PrivateFile | UnixFileMode.OtherRead);
        var finding = (await ExamineAsync(Local, tokenFile: none)).Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.Cure).ShouldBe(("token", $"Run: chmod 600 {identity}"));
    }

    [Fact]
    public async Task A_full_disk_is_found()
    {
        (Machine.WriteProblem, Machine.Space) = (new IOException(NoSpace, 28), new DiskSpace(4 << 20, 1_000));
        await BreaksAsync("disk", "is full (4 MiB free, 16 MiB were to be written): No space left on device", "make room on it (`df -h");
    }

    [Fact]
    public async Task A_disk_on_which_no_more_files_can_be_made_is_found()
    {
        (Machine.WriteProblem, Machine.Space) = (new IOException(NoSpace, 28), new DiskSpace(500L << 30, 0));
        await BreaksAsync("disk", "no more files can be made on the file system", "remove files there");
    }

    [Fact]
    public async Task A_quota_that_is_used_up_is_told_from_a_full_disk()
    {
        Machine.WriteProblem = new IOException(NoQuota, 122);
        await BreaksAsync("quota", "your quota where ", "`quota -s`");
    }

    [Fact]
    public async Task A_disk_that_is_read_only_is_found()
    {
        Machine.WriteProblem = new IOException("Read-only file system", 30);
        await BreaksAsync("disk", "cannot be written: Read-only file system", "name a state_dir on a file system that this machine may write");
    }

    [Fact]
    public async Task A_disk_with_less_room_than_results_may_take_is_a_warning_with_both_numbers()
    {
        Machine.Space = new DiskSpace(5L << 30, 1_000_000);
        var finding = await BreaksAsync("disk", "5 GiB are free", "lower limits.spool", FindingState.Warning);
        finding.Seen.ShouldContain("limits.spool lets results take 10 GiB there");
    }

    [Fact]
    public async Task A_disk_with_less_than_a_GiB_is_a_warning_whatever_results_may_take()
    {
        Machine.Space = new DiskSpace(700L << 20, 1_000_000);
        await BreaksAsync("disk", "700 MiB are free", "make room there", FindingState.Warning, $"{Local}\nlimits: {{spool: 100MiB}}");
    }

    [Fact]
    public async Task A_disk_with_room_for_few_files_is_a_warning()
    {
        Machine.Space = new DiskSpace(500L << 30, 99);
        await BreaksAsync("disk", "99 more files can be made", "remove files there", FindingState.Warning);
    }

    [Fact]
    public void A_real_directory_takes_what_is_written_and_nothing_of_it_is_left()
    {
        var machine = new Machine(TimeProvider.System);
        machine.Write(Bin, 16 << 20);
        Directory.EnumerateFileSystemEntries(Bin, ".*").ShouldBeEmpty();
        machine.SpaceOf(Bin).FreeBytes.ShouldBeInRange(1, new DriveInfo(Bin).TotalSize);
        machine.OpenFiles.ShouldBeGreaterThan(0UL);
        machine.Glibc.ShouldNotBeNull().ShouldBeGreaterThan(new Version(2, 20));
        machine.Find("bash").ShouldNotBeNull();
        machine.Find("no-such-program-of-anybody").ShouldBeNull();
    }

    [Fact]
    public async Task Few_open_files_are_a_warning_with_the_number()
    {
        Machine.OpenFiles = 1_024;
        await BreaksAsync("limits", "at most 1024 files may be open", "raise the hard limit", FindingState.Warning);
    }
}
