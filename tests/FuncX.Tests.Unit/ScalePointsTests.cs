using FuncX.Bench.Scale;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The scaling study's points: what is measured and what is left out, the line of each, and that jobs which share a directory lose none of each other's.</summary>
public sealed class ScalePointsTests : IDisposable
{
    private const string Mpi = "mpirun with Open MPI v4.1.4";

    private readonly ConfigurationScratch _scratch = new();

    [Theory]
    [InlineData("strong-noop", 64, "strong-noop,0,64,100000,0,12.500,8000,183,mpirun with Open MPI v4.1.4,")]
    [InlineData("strong-noop", 128, "strong-noop,0,128,100000,0,12.500,8000,,mpirun with Open MPI v4.1.4,")]
    [InlineData("weak-1s", 64, "weak-1s,1,64,640,10,12.500,51,10.2,mpirun with Open MPI v4.1.4,")]
    [InlineData("weak-noop", 131_072, "weak-noop,0,131072,1310720,0,12.500,104858,989,mpirun with Open MPI v4.1.4,")]
    [InlineData("weak-1min", 64, "weak-1min,60,64,128,120,12.500,10,,mpirun with Open MPI v4.1.4,")]
    public async Task A_points_line_has_what_was_measured_what_was_published_and_by_which_MPI(string curve, int workers, string line)
    {
        var point = await ScalePoint.MeasureAsync(Curve(curve), workers, Mpi, static _ => Task.FromResult(12.5));
        point.Csv().ShouldBe(line);
        ScalePoint.Parse(line).ShouldBe(point);
        ScalePoint.Heading.Split(',').Length.ShouldBe(line.Split(',').Length);
    }

    [Theory]
    [InlineData(64, 1563, true)]
    [InlineData(512, 196, true)]
    [InlineData(1_024, 98, false)]
    public async Task One_second_tasks_on_few_workers_are_left_out_with_a_note(int workers, int idealSeconds, bool isLeftOut)
    {
        var measured = 0;
        var point = await ScalePoint.MeasureAsync(Curve("strong-1s"), workers, Mpi, tasks => Task.FromResult((double)(measured = tasks)));
        point.IdealSeconds.ShouldBe(idealSeconds);
        (measured, point.Seconds is null).ShouldBe((isLeftOut ? 0 : 100_000, isLeftOut));
        if (isLeftOut)
            point.Csv().ShouldBe($"strong-1s,1,{workers},100000,{idealSeconds},,,,{Mpi},left out: the ideal time exceeds 120 s");
        ScalePoint.Parse(point.Csv()).ShouldBe(point);
    }

    [Fact]
    public void Jobs_that_share_a_directory_lose_none_of_each_others_points()
    {
        var (first, second) = (Study("101"), Study("102"));
        first.Add(Point(64, 1));
        second.Add(Point(128, 2));
        first.Merge(keepOwn: true).Select(static point => point.Workers).ShouldBe([64, 128]);
        first.Add(Point(256, 3));
        second.Add(Point(512, 4));

        // Neither has seen what the other added last when it writes, whichever is the later.
        second.Merge(keepOwn: true);
        first.Merge(keepOwn: true);
        Merged().Select(static point => point.Workers).ShouldBe([64, 128, 256, 512]);

        // A merged file from before is made again of what the jobs have.
        File.WriteAllLines(first.MergedPath, [ScalePoint.Heading, Point(64, 9).Csv()]);
        Study("103").Merge(keepOwn: true);
        Merged().Select(static point => (point.Workers, point.Seconds)).ShouldBe([(64, 1.0), (128, 2.0), (256, 3.0), (512, 4.0)]);
    }

    [Fact]
    public void Jobs_that_merge_at_the_same_time_leave_a_file_with_all_points()
    {
        Parallel.For(0, 8, job =>
        {
            var study = Study($"{job}");
            for (var i = 0; i < 5; i++)
            {
                study.Add(Point(64 * (1 + job + (8 * i)), i));
                study.Merge(keepOwn: true);
            }
        });
        Merged().Count.ShouldBe(40);
    }

    [Fact]
    public void Of_each_curve_number_of_workers_and_MPI_the_newest_is_taken()
    {
        var study = Study("101");
        study.Add(Point(64, 1));
        study.Add(Point(64, 2));
        study.Add(Point(64, 3) with { Mpi = "mpiexec with MPICH Version: 4.0.2" });
        study.Add(Point(64, 4) with { Curve = "weak-noop" });
        study.Merge(keepOwn: true).Select(static point => (point.Curve, point.Mpi, point.Seconds)).ShouldBe(
            [("strong-noop", "mpiexec with MPICH Version: 4.0.2", 3.0), ("strong-noop", Mpi, 2.0), ("weak-noop", Mpi, 4.0)], ignoreOrder: true);

        var later = Study("102");
        later.Add(Point(64, 5));
        File.SetLastWriteTimeUtc(Own("101"), DateTime.UtcNow.AddMinutes(-1));
        later.Merge(keepOwn: true).Single(static point => point.Mpi == Mpi && point.Curve == "strong-noop").Seconds.ShouldBe(5);
    }

    [Fact]
    public void A_job_that_ended_while_it_wrote_and_one_that_is_run_again_go_on_with_what_there_is()
    {
        var study = Study("101");
        study.Add(Point(64, 1));
        File.AppendAllText(Own("101"), "strong-noop,0,128,1000\n");
        Study("101").Add(Point(256, 3));
        study.Merge(keepOwn: true).Select(static point => point.Workers).ShouldBe([64, 256]);
    }

    [Fact]
    public void A_run_of_some_curves_on_this_machine_leaves_the_others_and_no_file_of_its_own()
    {
        var before = Study("1");
        before.Add(Point(64, 1));
        before.Add(Point(64, 2) with { Curve = "weak-1s" });
        before.Merge(keepOwn: false);
        var after = Study("2");
        after.Add(Point(64, 3));
        after.Merge(keepOwn: false);
        Merged().Select(static point => (point.Curve, point.Seconds)).ShouldBe([("strong-noop", 3.0), ("weak-1s", 2.0)]);
        Directory.EnumerateFiles(_scratch.Path).Select(Path.GetFileName).ShouldBe(["scale-job-simulated.csv"]);
    }

    public void Dispose() => _scratch.Dispose();

    private static ScaleCurve Curve(string name) => ScaleCurve.All.Single(curve => curve.Name == name);

    private static ScalePoint Point(int workers, double seconds) => new("strong-noop", 0, workers, 100_000, 0, seconds, null, Mpi);

    private ScalePoints Study(string job) => new(_scratch.Path, "scale-job-simulated", job);

    private string Own(string job) => Path.Combine(_scratch.Path, $"scale-job-simulated-{job}.csv");

    private List<ScalePoint> Merged() => [.. File.ReadLines(Path.Combine(_scratch.Path, "scale-job-simulated.csv")).Skip(1).Select(static line => ScalePoint.Parse(line)!)];
}
