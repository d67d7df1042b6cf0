using FuncX.Tests.Mpi.Jobs;

namespace FuncX.Tests.Mpi;

/// <summary>Every scenario under both MPIs with 1, 2 and 4 ranks; those of one launch run one after another in the same processes.</summary>
public sealed class MessageTests
{
    public static TheoryData<Launcher, int> Jobs { get; } = new()
    {
        { Launcher.OpenMpi, 1 }, { Launcher.OpenMpi, 2 }, { Launcher.OpenMpi, 4 },
        { Launcher.Mpich, 1 }, { Launcher.Mpich, 2 }, { Launcher.Mpich, 4 },
    };

    [Theory, MemberData(nameof(Jobs))]
    public void Every_rank_knows_its_number_and_all_end_well(Launcher launcher, int ranks)
    {
        var job = Scenarios.RunAll(launcher, ranks);
        job.ExitCode.ShouldBe(0, job.ToString());
        job.Said("size", ranks).ShouldAllBe(size => size == ranks.ToString());
        job.Ranks.Select(static rank => rank.Rank).ShouldBe(Enumerable.Range(0, ranks), job.ToString());
    }

    [Theory, MemberData(nameof(Jobs))]
    public void With_both_libraries_installed_the_launchers_own_is_loaded_by_every_rank(Launcher launcher, int ranks)
    {
        var identities = Scenarios.RunAll(launcher, ranks).Said("identity", ranks);
        identities.Distinct().ShouldHaveSingleItem();
        identities[0].ShouldStartWith($"{launcher}; ");
        identities[0].ShouldContain(launcher == Launcher.OpenMpi ? "; Open MPI v4" : "; MPICH Version:");
        identities[0].ShouldContain("; 0 of 1; ");
        new[] { "Funneled", "Serialized", "Multiple" }.ShouldContain(identities[0].Split("; ")[1]);
        identities[0].Split("; ")[2].ShouldNotBeEmpty();
        identities[0].Split("; ")[3].ShouldContain(".so.");
    }

    [Theory, MemberData(nameof(Jobs))]
    public void Messages_of_every_size_come_around_a_ring_whole(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("ring", ranks).ShouldAllBe(static said => said == "sizes 0 1 65536 5242880");

    [Theory, MemberData(nameof(Jobs))]
    public void A_probe_takes_from_any_rank_by_tag_and_each_ranks_messages_in_order(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("order", ranks).ShouldAllBe(said => said == $"{30 * ranks} messages");

    [Theory, MemberData(nameof(Jobs))]
    public void Many_unfinished_sends_of_moving_memory_arrive_once_each_and_a_full_table_says_so(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("sends", ranks).ShouldAllBe(static said => said == "outstanding 200; refused True; received 400");

    [Theory, MemberData(nameof(Jobs))]
    public void A_receive_that_was_started_ends_when_all_of_the_message_is_there(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("receives", ranks).ShouldAllBe(static said => said == "40 messages");

    [Theory, MemberData(nameof(Jobs))]
    public void A_broadcast_gives_every_rank_the_bytes_of_the_root(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("broadcast", ranks).ShouldAllBe(static said => said == "right");

    [Theory, MemberData(nameof(Jobs))]
    public void Nobody_leaves_a_barrier_before_the_last_has_come(Launcher launcher, int ranks)
    {
        var times = Scenarios.RunAll(launcher, ranks).Said("barrier", ranks).Select(static said => said.Split(' ').Select(long.Parse).ToArray()).ToArray();
        times.Min(static time => time[1]).ShouldBeGreaterThanOrEqualTo(times.Max(static time => time[0]));
    }

    [Theory, MemberData(nameof(Jobs))]
    public void An_error_has_the_call_its_object_and_MPIs_own_text(Launcher launcher, int ranks)
    {
        foreach (var said in Scenarios.RunAll(launcher, ranks).Said("errors", ranks))
        {
            var messages = said.Split(" ## ");
            messages.Length.ShouldBe(3);
            messages[0].ShouldStartWith($"MPI_Isend of 10 bytes with tag 3 to rank {ranks + 6} failed (code ");
            messages[0].ShouldContain("invalid rank", Case.Insensitive);
            messages[1].ShouldStartWith($"MPI_Bcast of 1 bytes from rank {ranks + 6} failed (code ");
            messages[1].ShouldContain("invalid root", Case.Insensitive);
            messages[2].ShouldStartWith("MPI_Recv into 10 bytes, from rank 0 with tag 4 failed (code ");
            messages[2].ShouldContain("truncated", Case.Insensitive);
        }
    }

    [Theory, MemberData(nameof(Jobs))]
    public void Misuse_is_refused_and_the_next_call_works(Launcher launcher, int ranks)
    {
        foreach (var said in Scenarios.RunAll(launcher, ranks).Said("misuse", ranks))
        {
            var messages = said.Split(" ## ");
            messages.Length.ShouldBe(5);
            messages[0].ShouldStartWith("1 sends are unfinished and 0 matched messages not received");
            messages[1].ShouldStartWith("1 sends are unfinished and 1 matched messages not received");
            messages[2].ShouldStartWith("the message from rank 0 with tag 4 has 100 bytes, the memory for it 99");
            messages[3].ShouldBe("the message of 100 bytes with tag 4 from rank 0 was received already");
            messages[4].ShouldStartWith("MPI was initialised in this process before");
        }
    }

    [Theory, MemberData(nameof(Jobs))]
    public void A_call_from_another_thread_is_refused(Launcher launcher, int ranks)
    {
        foreach (var said in Scenarios.RunAll(launcher, ranks).Said("thread", ranks))
        {
            var messages = said.Split(" ## ");
            messages.Length.ShouldBe(14);
            messages.ShouldAllBe(static message => message.StartsWith("MPI was initialised on managed thread 1 ") && message.Contains("(stranger)"));
        }
    }

    [Theory, MemberData(nameof(Jobs))]
    public void A_null_reference_after_initialisation_is_an_exception(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("null", ranks).ShouldAllBe(static said => said == "caught");

    [Theory, MemberData(nameof(Jobs))]
    public void After_MPI_has_ended_every_call_is_refused(Launcher launcher, int ranks) =>
        Scenarios.RunAll(launcher, ranks).Said("finalize", ranks).ShouldAllBe(static said => said == "refused");
}
