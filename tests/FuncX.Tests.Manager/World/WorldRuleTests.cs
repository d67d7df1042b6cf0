using System.Buffers;
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
        for (var look = 0; look < WorldBackOff.LooksCrowded; look++)
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

    [Fact]
    public void A_leader_tells_a_function_that_it_was_sent_to_whom_it_is_told_until_it_is_to_forget_it()
    {
        var functions = new LeaderFunctions();
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, new FrameHeader { Kind = FrameKind.Function, Function = 9 }, new byte[600_000]);
        Should.Throw<FrameException>(() => Tell(functions, 9, 4)).Message.ShouldContain("was not sent before");
        for (var rest = output.WrittenSpan; FrameReader.TryRead(rest, out var header, out var length); rest = rest[length..])
            functions.Take(header, rest[..length], out _).ShouldBeNull();
        for (uint manager = 3; manager <= 4; manager++)
        {
            var told = Tell(functions, 9, manager);
            told.Length.ShouldBe(output.WrittenCount);
            for (var rest = told.AsSpan(); FrameReader.TryRead(rest, out var header, out var length); rest = rest[length..])
                header.Destination.ShouldBe(manager);
        }

        Tell(functions, 9, 0).ShouldBeEmpty();
        Should.Throw<FrameException>(() => Tell(functions, 9, 4)).Message.ShouldContain("was not sent before");

        static byte[] Tell(LeaderFunctions functions, uint number, uint manager)
        {
            var header = new FrameHeader { Kind = FrameKind.Function, Function = number, Ticket = manager };
            if (functions.Take(header, [], out var destination) is not { } told || destination != manager)
                return [];
            var frames = new byte[told.Length];
            told.CopyTo(frames, 0, destination);
            return frames;
        }
    }

    [Fact]
    public void A_large_function_waits_once_for_all_ranks_and_for_each_between_its_tasks()
    {
        const int Ranks = 16;
        var function = Keep(5_000_000, out var sent);
        var task = new byte[FrameHeader.Size];
        var pool = new MpiBufferPool(1 << 20);
        var ranks = Enumerable.Range(0, Ranks).Select(_ => new WorldRank(null!, pool)).ToArray();
        long held = 0;
        for (uint manager = 1; manager <= Ranks; manager++)
        {
            var rank = ranks[manager - 1];
            held += rank.Add(WorldTag.Frames, task) + rank.Add(function, manager) + rank.Add(WorldTag.Frames, task);
        }

        held.ShouldBe(sent.Length + (Ranks * 2 * (WorldPrefix.Size + FrameHeader.Size)));

        held -= ranks[0].Drop();
        held.ShouldBe(sent.Length + ((Ranks - 1) * 2 * (WorldPrefix.Size + FrameHeader.Size)), "others wait for it");
        for (uint manager = 2; manager <= Ranks; manager++)
        {
            var rank = ranks[manager - 1];
            Take(rank).ShouldBe(task);
            var got = new List<byte>();
            while (got.Count < sent.Length)
                got.AddRange(Take(rank));
            for (var rest = got.ToArray().AsSpan(); FrameReader.TryRead(rest, out var header, out var length); rest = rest[length..])
            {
                header.Destination.ShouldBe(manager);
                BinaryPrimitives.WriteUInt32LittleEndian(rest[FrameHeader.DestinationOffset..], 0);
                rest[..length].SequenceEqual(sent.AsSpan(sent.Length - rest.Length, length)).ShouldBeTrue();
            }

            Take(rank).ShouldBe(task);
            rank.HasFrames.ShouldBeFalse();
        }

        held.ShouldBe(0);

        byte[] Take(WorldRank rank)
        {
            var next = rank.NextBytes;
            var message = rank.TakeFrames();
            message.Buffer.Length.ShouldBe(next);
            held -= message.Held;
            var frames = message.Buffer.Span[WorldPrefix.Size..].ToArray();
            message.Buffer.Dispose();
            return frames;
        }
    }

    [Fact]
    public void A_function_that_is_dropped_in_the_middle_waits_no_longer_and_is_told_anew_from_its_beginning()
    {
        var rank = new WorldRank(null!, new MpiBufferPool(1 << 20));
        var function = Keep(1_000_000, out var sent);
        rank.Add(function, 1).ShouldBe(sent.Length);
        rank.TakeFrames().Held.ShouldBe(0);
        rank.Drop().ShouldBe(sent.Length);
        rank.HasFrames.ShouldBeFalse();
        rank.Add(function, 1).ShouldBe(sent.Length);
        FrameReader.TryRead(rank.TakeFrames().Buffer.Span[WorldPrefix.Size..], out var header, out _).ShouldBeTrue();
        header.Kind.ShouldBe(FrameKind.Function);
    }

    [Fact]
    public void A_small_function_goes_in_one_message_with_the_tasks_around_it()
    {
        var rank = new WorldRank(null!, new MpiBufferPool(1 << 20));
        var task = new byte[FrameHeader.Size];
        var function = Keep(2_000, out var sent);
        rank.Add(WorldTag.Frames, task);
        rank.Add(function, 3).ShouldBe(sent.Length);
        rank.Add(WorldTag.Frames, task);
        var message = rank.TakeFrames();
        (message.Buffer.Length, message.Held).ShouldBe((WorldPrefix.Size + sent.Length + (2 * task.Length), message.Buffer.Length));
        FrameReader.TryRead(message.Buffer.Span[(WorldPrefix.Size + task.Length)..], out var header, out _).ShouldBeTrue();
        header.Destination.ShouldBe(3u);
        rank.HasFrames.ShouldBeFalse();
    }

    private static KeptFunction Keep(int bytes, out byte[] sent)
    {
        var body = new byte[bytes];
        new Random(bytes).NextBytes(body);
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, new FrameHeader { Kind = FrameKind.Function, Function = 9 }, body);
        sent = output.WrittenSpan.ToArray();
        var function = new KeptFunction();
        function.Add(sent, last: true);
        return function;
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
