using FuncX.Endpoint.Blocks;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointRepairsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly BlockRepairs _repairs;

    public EndpointRepairsTests() => _repairs = new BlockRepairs(_time);

    [Fact]
    public void The_first_repair_is_at_once_and_each_next_one_waits_twice_as_long()
    {
        foreach (var pause in (int[])[1, 2, 4, 8, 16, 32, 60, 60, 60])
        {
            _repairs.TryBegin().ShouldBeTrue();
            _time.Advance(TimeSpan.FromSeconds(pause) - TimeSpan.FromMilliseconds(1));
            _repairs.TryBegin().ShouldBeFalse($"less than {pause} s after the one before");
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }
    }

    [Fact]
    public void A_block_that_needs_one_again_and_again_is_given_up()
    {
        for (var i = 0; i < BlockRepairs.Most; i++)
        {
            _repairs.GivenUp.ShouldBeFalse();
            _repairs.TryBegin().ShouldBeTrue();
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        _repairs.GivenUp.ShouldBeTrue();
        _time.Advance(TimeSpan.FromDays(1));
        _repairs.TryBegin().ShouldBeFalse();
    }

    [Fact]
    public void A_block_that_was_well_for_ten_minutes_begins_anew()
    {
        for (var i = 0; i < 5 * BlockRepairs.Most; i++)
        {
            _repairs.TryBegin().ShouldBeTrue();
            _time.Advance(TimeSpan.FromMinutes(10));
        }
    }
}
