using FuncX.Manager.World;
using FuncX.Mpi;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>In which order a leader writes what its ranks sent.</summary>
public sealed class LeaderOutboxTests
{
    private const int Large = LeaderOutbox.SmallMessage + 1;

    private readonly MpiBufferPool _buffers = new(1 << 20);
    private readonly LeaderOutbox _outbox = new(ranks: 3);

    [Fact]
    public void Small_messages_of_others_go_before_large_ones_and_those_of_one_rank_keep_their_order()
    {
        Add(0, Large);
        Add(0, 10);
        Add(1, 11);
        Add(2, 12);
        Add(1, Large + 1);
        Add(1, 13);
        Add(-1, 14);
        Taken().ShouldBe([11, 12, 14, Large, 10, Large + 1, 13]);
        _outbox.Count.ShouldBe(0);
        _outbox.TryPeek(mayLarge: true, out _).ShouldBeFalse();
        _outbox.TryTake(mayLarge: true, out _).ShouldBeFalse();
    }

    [Fact]
    public void A_large_message_waits_for_half_a_mebibyte_of_small_ones_at_most()
    {
        Add(0, Large);
        for (var i = 0; i < 100; i++)
            Add(1, LeaderOutbox.SmallMessage);
        Taken().IndexOf(Large).ShouldBe(32);
    }

    [Fact]
    public void While_a_large_message_rests_only_small_ones_are_taken()
    {
        Add(0, Large);
        Add(0, 10);
        _outbox.OnlyLarge.ShouldBeTrue();
        _outbox.TryPeek(mayLarge: false, out _).ShouldBeFalse();
        _outbox.TryTake(mayLarge: false, out _).ShouldBeFalse();
        Add(1, 11);
        _outbox.OnlyLarge.ShouldBeFalse();
        _outbox.TryPeek(mayLarge: false, out var seen).ShouldBeTrue();
        _outbox.TryTake(mayLarge: false, out var taken).ShouldBeTrue();
        taken.ShouldBe(seen);
        taken.Frames.Length.ShouldBe(11);
        _outbox.Count.ShouldBe(2);
        Taken().ShouldBe([Large, 10]);
        _outbox.OnlyLarge.ShouldBeFalse();
    }

    [Fact]
    public void Large_messages_rest_six_times_their_own_time_while_small_ones_pass_and_not_at_all_alone()
    {
        var pace = new LargePace();
        pace.OnLarge(now: 1_000, took: 300);
        pace.Due.ShouldBeLessThan(1_000);
        pace.OnSmall(2_000);
        pace.OnLarge(now: 2_300, took: 300);
        pace.Due.ShouldBe(4_100);
        pace.OnLarge(now: 3_000, took: 100_000);
        pace.Due.ShouldBe(2_000 + LargePace.BesideMicroseconds);
    }

    [Fact]
    public void Whatever_comes_leaves_once_and_each_ranks_in_its_order()
    {
        var random = new Random(5);
        var next = new int[3];
        var expected = new int[3];
        var added = 0;
        for (var step = 0; step < 10_000; step++)
        {
            if (random.Next(2) == 0)
            {
                var rank = random.Next(3);
                var large = random.Next(5) == 0;
                // Its number is in its length.
                Add(rank, (large ? 20_000 : 1_000) + (rank * 5_000) + (next[rank]++ % 1_000));
                added++;
                continue;
            }

            if (!_outbox.TryPeek(mayLarge: true, out var seen))
                continue;
            _outbox.TryTake(mayLarge: true, out var taken).ShouldBeTrue();
            taken.ShouldBe(seen);
            var bytes = taken.Frames.Length;
            var from = bytes % 20_000 / 5_000;
            (bytes % 1_000).ShouldBe(expected[from]++ % 1_000);
            taken.Buffer.Dispose();
            added--;
            _outbox.Count.ShouldBe(added);
        }
    }

    private void Add(int rank, int bytes) => _outbox.Add(new LeaderMessage(_buffers.Rent(WorldPrefix.Size + bytes), null), rank);

    private List<int> Taken()
    {
        var taken = new List<int>();
        while (_outbox.TryTake(mayLarge: true, out var message))
        {
            taken.Add(message.Frames.Length);
            message.Buffer.Dispose();
        }

        return taken;
    }
}
