using FuncX.Manager.Launching;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class OpenMpiSessionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-session-").FullName;

    [Fact]
    public void What_a_killed_mpirun_has_left_is_removed_and_nothing_else()
    {
        // As Open MPI 4.1.4 leaves it.
        string[] kept =
        [
            "tmp/ompi.vm.0/pid.25823/contact.txt", "tmp/ompi.vm.7/pid.25822/contact.txt", "tmp/other/pid.25822/contact.txt",
            "shm/vader_segment.vm.0.8210001.0", "shm/vader_segment.vm.7.8200001.0", "shm/other",
        ];
        string[] removed = ["tmp/ompi.vm.0/pid.25822/contact.txt", "tmp/ompi.vm.0/pid.25822/1/0/file", "shm/vader_segment.vm.0.8200001.0", "shm/vader_segment.vm.0.8200001.15"];
        foreach (var file in kept.Concat(removed))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.WriteAllText(Path.Combine(_folder, file), "136314880.0;tcp://192.0.2.2:43225\n25822\n");
        }

        OpenMpiSession.Remove(25822, user: 0, Path.Combine(_folder, "tmp"), Path.Combine(_folder, "shm"));

        Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(_folder, file)).ShouldBe(kept, ignoreOrder: true);
        Directory.Exists(Path.Combine(_folder, "tmp/ompi.vm.0/pid.25822")).ShouldBeFalse();
    }

    [Fact]
    public void What_mpiruns_have_left_whose_agent_was_killed_is_removed_and_what_a_living_one_has_is_not()
    {
        // The family is 136314880 + the number of the process.
        string[] kept =
        [
            "tmp/ompi.n1.0/pid.5/contact.txt", "tmp/ompi.n1.0/pid.x/contact.txt", "tmp/ompi.n1.0/other/contact.txt", "tmp/ompi.n2.0/pid.6/contact.txt", "tmp/ompi.n1.7/pid.6/contact.txt", "shm/vader_segment.n1.0.8200006.0",
        ];
        string[] removed = ["tmp/ompi.n1.0/pid.6/contact.txt", "tmp/ompi.n1.0/pid.6/1/0/file", "tmp/ompi.n1.0/pid.7/contact.txt", "shm/vader_segment.n1.0.8200007.0", "shm/vader_segment.n1.0.8200008.1"];
        foreach (var file in kept.Concat(removed))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            var digit = file.Split("pid.")[^1][0];
            File.WriteAllText(Path.Combine(_folder, file), $"{136314880 + (digit - '0')}.0;tcp://192.0.2.2:43225\n");
        }

        OpenMpiSession.RemoveLeftovers("n1.site.org", user: 0, Path.Combine(_folder, "tmp"), static pid => pid == 5, Path.Combine(_folder, "shm"));
        OpenMpiSession.RemoveLeftovers("none", user: 0, Path.Combine(_folder, "tmp"), static _ => false, Path.Combine(_folder, "shm"));

        Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(_folder, file)).ShouldBe(kept, ignoreOrder: true);
        Directory.Exists(Path.Combine(_folder, "tmp/ompi.n1.0/pid.6")).ShouldBeFalse();
    }

    [Fact]
    public void The_directory_that_all_mpiruns_of_a_host_share_is_made_for_them_and_left_as_it_is()
    {
        OpenMpiSession.Prepare("n1.site.org", user: 0, _folder);
        var made = Path.Combine(_folder, "ompi.n1.0");
        File.GetUnixFileMode(made).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.WriteAllText(Path.Combine(made, "kept"), "");
        OpenMpiSession.Prepare("n1", user: 0, _folder);
        File.Exists(Path.Combine(made, "kept")).ShouldBeTrue();
        OpenMpiSession.Prepare("n1", user: 0, Path.Combine(made, "kept"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no number")]
    [InlineData("99999999999999.0;")]
    public void A_session_that_names_no_family_is_removed_alone(string contact)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "ompi.vm.0/pid.5"));
        File.WriteAllText(Path.Combine(_folder, "ompi.vm.0/pid.5/contact.txt"), contact);
        OpenMpiSession.Remove(5, user: 0, _folder, Path.Combine(_folder, "none"));
        Directory.Exists(Path.Combine(_folder, "ompi.vm.0/pid.5")).ShouldBeFalse();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
