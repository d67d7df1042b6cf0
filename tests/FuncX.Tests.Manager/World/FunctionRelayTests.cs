using FuncX.Manager.World.Functions;
using FuncX.Tests.Integration.Harness;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>How functions come down the ranks. Ranks 2n + 1 and 2n + 2 are below rank n.</summary>
public sealed class FunctionRelayTests
{
    private const int Pieces = 9;
    private const int Bytes = (Pieces * FunctionContent.PieceBytes) - 1000;

    // Of one such function.
    private const int Memory = Pieces * (FunctionContent.PieceBytes + FunctionPrefix.Size);

    [Theory]
    [InlineData(2, 1_000)]
    [InlineData(8, FunctionContent.PieceBytes)]
    [InlineData(15, Bytes)]
    [InlineData(128, 2 * FunctionContent.PieceBytes)]
    public void Every_rank_gets_a_function_and_nobody_sends_it_more_than_twice(int ranks, int bytes)
    {
        var world = new PlayedRanks(ranks);
        var function = world.Keep(bytes);
        foreach (var rank in world.Ranks)
            rank.Want(function);
        world.Until(() => world.Ranks.All(rank => rank.Has(function)));
        foreach (var (number, rank) in world.Ranks.Index())
        {
            rank.Counts.BytesSent.ShouldBe(bytes * (long)Math.Clamp(ranks - 1 - (2 * number), 0, 2));
            (rank.Counts.Received, rank.Counts.BytesReceived).ShouldBe(number == 0 ? (0, 0) : (1, bytes));
            rank.Reports.ShouldBeEmpty();
        }
    }

    [Fact]
    public void Pieces_go_on_while_others_come_but_the_last_one_when_all_is_checked()
    {
        var world = new PlayedRanks(15);
        var function = world.Keep(Bytes);
        long leaderHadSent = -1;
        world.OnPiece = (from, to, about) =>
        {
            if (to == 14 && about.Offset == 0)
                leaderHadSent = world.Leader.Counts.BytesSent;
            if (from > 0 && about.Offset == (Pieces - 1L) * FunctionContent.PieceBytes)
                world.Ranks[from].Counts.Received.ShouldBe(1);
        };
        world.Ranks[14].Want(function);
        world.Until(() => world.Ranks[14].Has(function));
        leaderHadSent.ShouldBeInRange(1, Bytes - 1);

        // Ranks in between pass on what their managers have no use for.
        world.Ranks[2].Counts.BytesSent.ShouldBe(Bytes);
        world.Ranks[6].Brought.ShouldBeEmpty();
        world.Ranks[1].Counts.Sum.ShouldBe(0);
    }

    [Fact]
    public void A_rank_that_comes_late_has_it_from_the_one_above_and_that_one_anew_when_it_has_forgotten_it()
    {
        var world = new PlayedRanks(7, mostKept: Memory);
        var function = world.Keep(Bytes);
        world.Ranks[3].Want(function);
        world.Until(() => world.Ranks[3].Has(function));
        world.Ranks[4].Want(function);
        world.Until(() => world.Ranks[4].Has(function));
        world.Leader.Counts.BytesSent.ShouldBe(Bytes);
        world.Ranks[1].Counts.BytesSent.ShouldBe(2L * Bytes);

        // A leaf keeps nothing, and one in between no more than it may: the second drives out the first.
        world.Ranks[3].Relay.Bytes.ShouldBe(0);
        var second = world.Keep(Bytes, seed: 2);
        world.Ranks[3].Want(second);
        world.Until(() => world.Ranks[3].Has(second));
        world.Pass(seconds: 1);
        world.Ranks[1].Relay.Bytes.ShouldBe(Bytes);
        world.Ranks[3].Brought.Clear();
        world.Ranks[3].Want(function);
        world.Until(() => world.Ranks[3].Has(function));
        world.Leader.Counts.BytesSent.ShouldBe(3L * Bytes);
    }

    [Fact]
    public void When_the_rank_above_dies_the_leader_sends_the_rest_and_the_dead_one_is_not_asked_again()
    {
        var world = new PlayedRanks(8);
        var function = world.Keep(Bytes);
        foreach (var rank in world.Ranks)
            rank.Want(function);
        world.Until(() => world.Ranks[7].Counts.BytesReceived > Bytes / 3);
        world.Ranks[1].Takes = false;
        world.Until(() => world.Ranks.Where(static (_, number) => number != 1).All(rank => rank.Has(function)));
        foreach (var number in new[] { 3, 4 })
        {
            var rank = world.Ranks[number];
            rank.Asked.Count.ShouldBe(2);
            rank.Asked[0].ShouldBe((1, 0L));
            rank.Asked[1].Rank.ShouldBe(0);
            rank.Asked[1].Offset.ShouldBeGreaterThan(Bytes / 3, "what it has need not come again");
            rank.Reports.ShouldHaveSingleItem().ShouldContain("rank 1 above has sent nothing of function");
        }

        // The rank below one that waits does so, too.
        world.Ranks[7].Asked.ShouldBe([(3, 0L)]);
        world.Leader.Counts.BytesSent.ShouldBeLessThan(4L * Bytes);
        var second = world.Keep(Bytes, seed: 2);
        world.Ranks[7].Want(second);
        world.Until(() => world.Ranks[7].Has(second), seconds: 4);
        world.Ranks[3].Asked[^1].Rank.ShouldBe(0);
    }

    [Fact]
    public void A_rank_that_does_not_take_what_it_asked_for_holds_up_nobody_and_goes_to_the_leader_when_it_comes_back_late()
    {
        var world = new PlayedRanks(7, mostKept: Memory);
        var functions = Enumerable.Range(1, 3).Select(seed => world.Keep(Bytes, seed)).ToArray();
        foreach (var rank in world.Ranks)
            rank.Want(functions[0]);
        foreach (var function in functions[1..])
            world.Ranks[4].Want(function);
        world.Until(() => world.Ranks[4].Counts.BytesReceived > 0);
        world.Ranks[4].Takes = false;
        world.Until(() => world.Ranks.Where(static (_, number) => number != 4).All(rank => rank.Has(functions[0])), seconds: 4);
        world.Pass(seconds: 30);
        world.PiecesTo(1, 4).ShouldBe(4);
        world.Ranks[1].Heard.ShouldAllBe(static word => word.Tag == FunctionTag.Ask);

        // Three that only it waits for are more than the rank above keeps for it.
        world.Ranks[1].Relay.Bytes.ShouldBe(2L * Bytes);
        world.Ranks[4].Takes = true;
        world.Until(() => functions.All(world.Ranks[4].Has), seconds: 4);
        world.Ranks[4].Asked.Count(static asked => asked.Rank == 0).ShouldBe(1);
        world.Ranks.ShouldAllBe(static rank => rank.Reports.Count == 0);
    }

    [Fact]
    public void Ranks_that_stood_still_themselves_blame_nobody_for_it()
    {
        var world = new PlayedRanks(4);
        var function = world.Keep(Bytes);
        world.Ranks[3].Want(function);
        world.Until(() => world.Ranks[3].Asked.Count > 0);
        foreach (var rank in world.Ranks)
            rank.Takes = false;
        world.Pass(seconds: 30);
        foreach (var rank in world.Ranks)
            rank.Takes = true;
        world.Until(() => world.Ranks[3].Has(function), seconds: 4);
        world.Ranks[3].Asked.ShouldBe([(1, 0L)]);
        world.Ranks.ShouldAllBe(static rank => rank.Reports.Count == 0);
    }

    [Fact]
    public void What_comes_with_another_digest_is_named_and_asked_for_at_the_leader_and_nobody_below_has_it()
    {
        var world = new PlayedRanks(16);
        var function = world.Keep(Bytes);
        world.Spoils = (from, to, about) => (from, to, about.Offset / FunctionContent.PieceBytes) == (1, 3, 7);
        foreach (var rank in world.Ranks)
            rank.Want(function);
        world.Until(() => world.Ranks.All(rank => rank.Has(function)));
        world.Ranks[3].Reports.ShouldHaveSingleItem().ShouldStartWith($"function {function.Digest} of {Bytes} bytes came from rank 1 with SHA-256 ");
        world.Ranks[3].Asked.ShouldBe([(1, 0L), (0, 0L)]);

        // Those below it have asked it again, and noticed nothing.
        world.Ranks.Where(static (_, number) => number != 3).ShouldAllBe(static rank => rank.Reports.Count == 0 && rank.Lost.Count == 0);
        world.Ranks[7].Asked.ShouldBe([(3, 0L), (3, 0L)]);
        world.Leader.Counts.BytesSent.ShouldBe(3L * Bytes);
    }

    [Fact]
    public void What_comes_wrong_from_two_ranks_is_blamed_on_neither_and_the_leader_may_fail_as_often_as_ever()
    {
        var world = new PlayedRanks(4);
        var function = world.Keep(Bytes);
        var spoilt = 0;
        world.Spoils = (from, to, about) => to == 3 && about.Offset == 0 && (from == 1 || ++spoilt < FunctionRelay.MostFailures);
        world.Ranks[3].Want(function);
        world.Until(() => world.Ranks[3].Counts.BytesReceived > Bytes / 3);
        world.Ranks[1].Takes = false;
        world.Until(() => world.Ranks[3].Has(function));
        var reports = world.Ranks[3].Reports;
        reports.Count.ShouldBe(1 + FunctionRelay.MostFailures);
        reports[1].ShouldStartWith($"function {function.Digest} of {Bytes} bytes came from more than one rank with SHA-256 ");
        reports[2..].ShouldAllBe(static report => report.Contains("came from rank 0 with"));
    }

    [Fact]
    public void A_function_that_the_leader_sends_wrong_again_and_again_is_given_up()
    {
        var world = new PlayedRanks(2);
        var function = world.Keep(Bytes);
        world.Spoils = static (_, _, about) => about.Offset == 0;
        world.Ranks[1].Want(function);
        world.Until(() => world.Ranks[1].Lost.Count > 0);
        world.Ranks[1].Reports.Count.ShouldBe(FunctionRelay.MostFailures);
        world.Ranks[1].Lost.ShouldBe([function.Digest]);
        world.Ranks[1].Relay.Bytes.ShouldBe(0);
        world.Spoils = static (_, _, _) => false;
        world.Ranks[1].Want(function);
        world.Until(() => world.Ranks[1].Has(function));
    }

    [Fact]
    public void What_the_leader_has_forgotten_stays_for_a_while_and_is_told_when_it_is_gone()
    {
        var world = new PlayedRanks(8, mostKept: Memory);
        var function = world.Keep(Bytes);
        world.Leader.Relay.Forget(function.Digest);
        world.Ranks[7].Want(function);
        world.Until(() => world.Ranks[7].Has(function));

        // The endpoint sends it again after its connection has broken.
        world.Keep(Bytes).Digest.ShouldBe(function.Digest);
        var second = world.Keep(Bytes, seed: 2);
        world.Leader.Relay.Forget(second.Digest);
        world.Ranks[4].Want(function);
        world.Until(() => world.Ranks[4].Has(function));

        world.Leader.Relay.Forget(function.Digest);
        world.Leader.Relay.Bytes.ShouldBe(Bytes);
        world.Leader.Want(second);
        world.Ranks[7].Want(second);
        world.Until(() => world.Leader.Lost.Count > 0 && world.Ranks[7].Lost.Count > 0);
        world.Leader.Lost.ShouldBe([second.Digest]);
        world.Ranks[7].Lost.ShouldBe([second.Digest]);
    }

    [Theory]
    [InlineData(1, 0, 34)]
    [InlineData(2, 1, 34)]
    // So many that one on its way for longer than a silence would count as one if later ones went before it.
    [LongData(8, 7, 80)]
    public void A_rank_that_asks_long_after_it_was_told_still_gets_what_has_been_forgotten_since(int ranks, int slow, int count)
    {
        // More than ranks with others below them keep.
        const int Each = (int)(FunctionRelay.MostKept / 32);
        var world = new PlayedRanks(ranks);
        var functions = Enumerable.Range(1, count).Select(seed => world.Keep(Each, seed)).ToArray();
        foreach (var function in functions)
            world.Leader.Relay.Forget(function.Digest);
        foreach (var function in functions)
            world.Ranks[slow].Want(function);
        world.Until(() => functions.All(world.Ranks[slow].Has));
        world.Ranks.ShouldAllBe(static rank => rank.Lost.Count == 0 && rank.Reports.Count == 0);
    }

    [Fact]
    public void What_is_kept_is_bounded_by_the_memory_that_it_takes()
    {
        const int Smallest = 4096;
        var world = new PlayedRanks(3, mostKept: 10 * Smallest);
        var functions = Enumerable.Range(1, 100).Select(seed => world.Keep(bytes: 100, seed)).ToArray();
        foreach (var function in functions)
            world.Leader.Relay.Forget(function.Digest);
        world.Leader.Relay.Bytes.ShouldBe(10 * 100);
        world.Ranks[1].Want(functions[^10]);
        world.Ranks[1].Want(functions[^11]);
        world.Until(() => world.Ranks[1].Has(functions[^10]) && world.Ranks[1].Lost.Contains(functions[^11].Digest));
    }

    [Fact]
    public void More_than_a_rank_brings_at_once_waits_for_its_turn_and_nobody_below_is_impatient()
    {
        const int Each = 2 * FunctionContent.PieceBytes;
        var world = new PlayedRanks(8, mostFetched: (3 * Each) + 1);
        var functions = Enumerable.Range(1, 9).Select(seed => world.Keep(Each, seed)).ToArray();
        foreach (var function in functions)
            world.Ranks[7].Want(function);
        world.Until(() => world.Ranks[7].Asked.Count > 0);
        world.Ranks[7].Asked.Count.ShouldBe(3);
        world.Until(() => functions.All(world.Ranks[7].Has));
        world.Ranks.ShouldAllBe(static rank => rank.Reports.Count == 0);
        world.Ranks[7].Asked.Count.ShouldBe(functions.Length);
    }

    [Theory]
    [InlineData(-FunctionContent.PieceBytes, 0)]
    [InlineData(1, 0)]
    [InlineData(Bytes, 0)]
    [InlineData(0, 1)]
    public void Who_asks_for_what_cannot_be_is_told_that_it_is_not_there(long offset, long more)
    {
        var world = new PlayedRanks(3);
        var function = world.Keep(Bytes);
        world.Ranks[1].Want(function);
        world.Leader.Relay.OnAsk(2, new FunctionPrefix(function.Digest, Bytes + more, offset), world.Now);
        world.Until(() => world.Ranks[1].Has(function));
        world.Ranks[2].Heard.ShouldBe([(0, FunctionTag.Absent)]);
        world.Leader.Counts.BytesSent.ShouldBe(Bytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Whatever_dies_stops_or_is_spoilt_every_rank_that_lives_gets_what_it_wants(int seed)
    {
        var random = new Random(seed);
        var world = new PlayedRanks(random.Next(3, 20), mostKept: 3 * FunctionContent.PieceBytes);
        var functions = Enumerable.Range(1, 5).Select(number => world.Keep(random.Next(1, 5 * FunctionContent.PieceBytes), (seed * 100) + number)).ToArray();
        var wanted = new HashSet<(int Rank, int Function)>();
        var dead = new HashSet<int>();
        // Seldom enough that no function comes wrong from the leader three times.
        var spoilt = 0;
        world.Spoils = (from, _, _) => from > 0 && random.Next(20) == 0 && ++spoilt < 20;
        for (var round = 0; round < 30; round++)
        {
            var rank = random.Next(1, world.Ranks.Count);
            switch (random.Next(6))
            {
                case 0 when dead.Count < world.Ranks.Count / 3:
                    dead.Add(rank);
                    world.Ranks[rank].Takes = false;
                    break;
                case 1 when !dead.Contains(rank):
                    world.Ranks[rank].Takes = !world.Ranks[rank].Takes;
                    break;
                default:
                    var function = random.Next(functions.Length);
                    if (wanted.Add((rank, function)))
                        world.Ranks[rank].Want(functions[function]);
                    break;
            }

            world.Pass(random.NextDouble());
        }

        foreach (var (number, rank) in world.Ranks.Index())
            rank.Takes = !dead.Contains(number);
        world.Until(() => wanted.All(want => dead.Contains(want.Rank) || world.Ranks[want.Rank].Has(functions[want.Function])));
        world.Ranks.ShouldAllBe(static rank => rank.Lost.Count == 0);
    }
}
