using System.Buffers.Binary;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.World;
using FuncX.Mpi;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

public sealed class WorldRuleTests
{
    [Theory]
    [InlineData(MpiAbi.Mpich, "SLURM_PROCID", "needs --mpi=pmi2")]
    [InlineData(MpiAbi.OpenMpi, "SLURM_PROCID", "needs --mpi=pmix")]
    [InlineData(MpiAbi.OpenMpi, "PMI_RANK", "use Open MPI's mpirun")]
    [InlineData(MpiAbi.Mpich, "OMPI_COMM_WORLD_SIZE", "use MPICH's mpiexec")]
    [InlineData(MpiAbi.Mpich, "NOTHING", "not started by the launcher of this MPI")]
    public void A_world_of_one_says_what_cures_it(MpiAbi abi, string set, string cure) =>
        WorldSize.Problem(16, 1, new MpiLibrary("/lib/libmpi.so", abi, "MPI of a test\nmore"), name => name == set ? "0" : null)!.ShouldContain(cure);

    [Fact]
    public void A_world_of_the_right_size_has_no_problem()
    {
        var library = new MpiLibrary("/lib/libmpi.so", MpiAbi.Mpich, "MPI of a test");
        WorldSize.Problem(16, 16, library, static _ => null).ShouldBeNull();
        WorldSize.Problem(0, 1, library, static _ => null).ShouldBeNull();
        WorldSize.Problem(16, 8, library, static _ => null)!.ShouldContain("8 ranks, and 16");
    }

    [Theory]
    [InlineData("PMI_RANK", true)]
    [InlineData("PMIX_NAMESPACE", true)]
    [InlineData("OMPI_MCA_btl", true)]
    [InlineData("MPI_LOCALRANKID", true)]
    [InlineData("SLURM_STEP_ID", true)]
    [InlineData("SLURM_STEPID", true)]
    [InlineData("SLURM_PROCID", true)]
    [InlineData("SLURM_LOCALID", true)]
    [InlineData("SLURM_JOB_ID", false)]
    [InlineData("SLURM_JOB_NODELIST", false)]
    [InlineData("SLURM_NODELIST", false)]
    [InlineData("PBS_NODEFILE", false)]
    [InlineData("COBALT_JOBID", false)]
    [InlineData("PATH", false)]
    public void What_a_launcher_tells_a_rank_is_known_from_what_names_the_job(string variable, bool launchers) => LauncherVariables.Has(variable).ShouldBe(launchers);

    [Fact]
    public void The_thread_looks_at_once_while_there_is_traffic_and_ever_more_rarely_without()
    {
        var backOff = new WorldBackOff();
        backOff.OnTraffic(1_000_000);
        for (var look = 0; look < WorldBackOff.Looks; look++)
            backOff.Next(1_000_000 + (look / 2)).ShouldBe(0);
        Pause(1_000_300).ShouldBe(WorldBackOff.ShortestMicroseconds);
        Pause(1_080_000).ShouldBe(10_000);
        Pause(9_000_000).ShouldBe(WorldBackOff.LongestMicroseconds);
        backOff.OnTraffic(9_000_000);
        backOff.Next(9_000_001).ShouldBe(0);

        // Where others wait for the processor it looks for less long and sleeps longer.
        backOff.Crowded = true;
        backOff.OnTraffic(10_000_000);
        for (var look = 0; look < WorldBackOff.LooksShort; look++)
            backOff.Next(10_000_000 + look).ShouldBe(0);
        Pause(10_000_050).ShouldBe(WorldBackOff.ShortestCrowdedMicroseconds);
        Pause(10_080_000).ShouldBe(10_000);

        long Pause(long now)
        {
            for (var look = 1; look < WorldBackOff.LooksAwake; look++)
                backOff.Next(now).ShouldBe(0);
            return backOff.Next(now);
        }
    }

    [Fact]
    public void The_thread_does_not_look_for_what_usually_comes_later_and_does_so_again_when_it_comes_sooner()
    {
        var backOff = new WorldBackOff();
        var now = 1_000_000L;
        backOff.OnTraffic(now);
        Traffic(pause: 2_000);
        Looks().ShouldBe(WorldBackOff.LooksShort);
        // Sleeps of an eighth of the usual pause, which is between the last two.
        Sleep().ShouldBeInRange(2_000 / 8 * 7 / 8, 2_000 / 8 * 9 / 8);

        Traffic(pause: 100_000);
        Sleep().ShouldBeInRange(WorldBackOff.LongestUsualMicroseconds / 10, WorldBackOff.LongestUsualMicroseconds / 8);

        Traffic(pause: 100);
        Looks().ShouldBe(WorldBackOff.Looks);
        Sleep().ShouldBe(WorldBackOff.ShortestMicroseconds);

        // What comes before a short look is over says nothing.
        Traffic(pause: 2_000);
        for (var i = 0; i < 100; i++)
        {
            backOff.Next(now).ShouldBe(0);
            backOff.OnTraffic(++now);
        }

        Looks().ShouldBe(WorldBackOff.LooksShort);

        void Traffic(long pause)
        {
            for (var i = 0; i < 100; i++)
            {
                for (var look = 0; look < WorldBackOff.Looks; look++)
                    backOff.Next(now + Math.Min(look, pause));
                backOff.OnTraffic(now += pause);
            }
        }

        // How often it looks before it sleeps, without those that follow each sleep.
        int Looks()
        {
            var looks = 0;
            while (backOff.Next(now) == 0)
                looks++;
            backOff.OnTraffic(now);
            return looks + 1 - WorldBackOff.LooksAwake;
        }

        long Sleep()
        {
            long pause;
            while ((pause = backOff.Next(now)) == 0)
            {
            }

            backOff.OnTraffic(now);
            return pause;
        }
    }

    [Fact]
    public void A_large_result_that_goes_again_lets_control_frames_pass_between_its_frames()
    {
        var outbox = new ResultOutbox();
        const int Body = 1 << 20;
        FrameWriter.WriteSegmented(outbox.Large(FrameWriter.SegmentedBytes(Body)), new FrameHeader { Kind = FrameKind.Result }, new byte[Body]);
        var first = Kinds(outbox, most: 100);
        first[^1].ShouldBe(FrameKind.Mark);
        outbox.Restart();
        var again = Kinds(outbox, most: 1);
        outbox.Control(new FrameHeader { Kind = FrameKind.Heartbeat }, default);
        again.AddRange(Kinds(outbox, most: 1));
        again.ShouldBe([FrameKind.Result, FrameKind.Heartbeat]);
        // The Ack of what was sent before the link broke comes in the middle: the rest is sent all the same, and then forgotten.
        outbox.Acknowledge(1);
        again.AddRange(Kinds(outbox, most: 100));
        again.Where(static kind => kind != FrameKind.Heartbeat).ShouldBe(first);
        outbox.HasOutput.ShouldBeFalse();
        outbox.Empty.ShouldBeTrue();
    }

    [Fact]
    public void Control_frames_pass_what_waits_for_a_rank_but_not_the_answer_to_its_hello()
    {
        var rank = new WorldRank(null!, new MpiBufferPool(1 << 20));
        var frame = new byte[FrameHeader.Size];
        rank.Add(WorldRank.TagOf(FrameKind.Task), frame).ShouldBe(WorldPrefix.Size + FrameHeader.Size);
        rank.Add(WorldRank.TagOf(FrameKind.Cancel), frame).ShouldBe(FrameHeader.Size);
        rank.Add(WorldRank.TagOf(FrameKind.Ack), frame);
        rank.HasControl.ShouldBeTrue();
        rank.TakeControl().Tag.ShouldBe(WorldTag.Control);
        rank.Add(WorldRank.TagOf(FrameKind.Welcome), frame);
        rank.Add(WorldRank.TagOf(FrameKind.Ack), frame);
        rank.HasControl.ShouldBeFalse();
        rank.TakeFrames().Buffer.Length.ShouldBe(WorldPrefix.Size + (2 * FrameHeader.Size));
        rank.TakeFrames().Tag.ShouldBe(WorldTag.Greetings);
        rank.TakeFrames().Tag.ShouldBe(WorldTag.Frames);
        rank.HasFrames.ShouldBeFalse();
    }

    private static List<FrameKind> Kinds(ResultOutbox outbox, int most)
    {
        var kinds = new List<FrameKind>();
        while (kinds.Count < most && outbox.Take(out var piece) is { } batch)
        {
            for (var frames = piece.Span; frames.Length > 0; frames = frames[BinaryPrimitives.ReadInt32LittleEndian(frames)..])
                kinds.Add((FrameKind)frames[FrameHeader.KindOffset]);
            outbox.Written(batch);
        }

        return kinds;
    }
}
