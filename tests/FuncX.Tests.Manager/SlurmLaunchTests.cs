using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Launching;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>What an agent makes of what Slurm says: how srun's ranks are told to find each other, which nodes are left, when the job ends.</summary>
public sealed class SlurmLaunchTests
{
    [Theory]
    [InlineData("--mpi=none")]
    [InlineData("--mpi", "none")]
    public void An_argument_of_the_configuration_takes_the_place_of_what_was_found(params string[] arguments)
    {
        var world = new WorldLaunch { Nodes = ["n1"], HostFile = "/d/hosts", Command = ["/bin/m"], SlurmMpi = "pmix" };
        new SrunLauncher().CommandLine(world).ShouldContain("--mpi=pmix");
        var words = new SrunLauncher().CommandLine(world with { Arguments = arguments });
        words.Count(static word => word.StartsWith("--mpi", StringComparison.Ordinal)).ShouldBe(1);
        words.ShouldBeSubsetOf([.. new SrunLauncher().CommandLine(world), .. arguments]);
    }

    [Theory]
    [InlineData("9:58 n[1-2]\n", 598, "n1 n2")]
    [InlineData("45 n1\n", 45, "n1")]
    [InlineData("1:00:00 n[1,3]\n", 3_600, "n1 n3")]
    [InlineData("2-01:00:05 n7\n", 176_405, "n7")]
    [InlineData("UNLIMITED n[1-2]\n", null, "n1 n2")]
    [InlineData("NOT_SET n1\n", null, "n1")]
    public void Time_left_and_nodes_left_are_read(string answer, int? seconds, string nodes)
    {
        var view = SlurmJobView.Parse(answer)!;
        view.Left.ShouldBe(seconds is { } left ? TimeSpan.FromSeconds(left) : null);
        string.Join(' ', view.Nodes).ShouldBe(nodes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("slurm_load_jobs error: Invalid job id specified\n")]
    [InlineData("9:58 \n")]
    [InlineData("9:58 n[1-\n")]
    public void What_is_no_answer_is_none(string answer) => SlurmJobView.Parse(answer).ShouldBeNull();

    [Theory]
    [InlineData(60, 20, 10)]
    [InlineData(300, 30, 20)]
    [InlineData(36_000, 60, 50)]
    public void The_drain_begins_a_tenth_of_the_job_before_its_end_but_20_s_to_a_minute(int length, int before, int runningFor)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
        var end = BlockEnd.Of(now.AddSeconds(length), now);
        (end.At - end.DrainAt).ShouldBe(TimeSpan.FromSeconds(before));
        end.DrainFor.ShouldBe(TimeSpan.FromSeconds(runningFor));
        (end.At - end.EndAt).ShouldBe(TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData(3_600, 600, 3_600)]
    [InlineData(630, 600, 600)]
    [InlineData(60, 600, 600)]
    [InlineData(long.MaxValue, 600, 600)]
    [InlineData(long.MinValue, 600, 600)]
    public void An_end_that_is_told_holds_when_it_is_much_later(long told, int known, int end)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
        var microseconds = told is long.MaxValue or long.MinValue ? told : (now.ToUnixTimeSeconds() + told) * 1_000_000;
        BlockEnd.Of(now.AddSeconds(known), now).Prolonged(microseconds, now).ShouldBe(BlockEnd.Of(now.AddSeconds(end), now));
        BlockEnd.Told(BlockEnd.Of(now.AddSeconds(known), now).DrainAt, BlockEnd.Of(now.AddSeconds(known), now).DrainFor).ShouldBe(BlockEnd.Of(now.AddSeconds(known), now));
    }

    [Fact]
    public void The_jobs_own_word_on_its_end_goes_before_the_controllers_and_that_before_what_was_asked_for()
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
        var job = new Allocation { Kind = AllocationKind.Slurm, JobId = "1", Nodes = ["n1"], End = now.AddHours(1) };
        var view = new SlurmJobView(TimeSpan.FromHours(2), ["n1"]);
        End(job, view).ShouldBe(1);
        End(job with { End = null }, view).ShouldBe(2);
        End(job with { End = null }, view with { Left = null }).ShouldBe(3);
        End(null, null).ShouldBe(3);
        BlockEnd.Find(job with { End = null }, null, walltime: null, now).ShouldBeNull();

        double End(Allocation? allocation, SlurmJobView? said) => (BlockEnd.Find(allocation, said, TimeSpan.FromHours(3), now)!.At - now).TotalHours;
    }
}
