using FuncX.Manager.Engine;
using FuncX.Manager.Workers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class SentTasksTests
{
    private readonly TaskTable _table = new();
    private readonly SentTasks _sent;
    private readonly TaskQueue _queue;
    private readonly List<int> _slots = [];

    public SentTasksTests()
    {
        _sent = new SentTasks(_table);
        _queue = new TaskQueue(_table);
        for (var i = 0; i < 6; i++)
        {
            var slot = _table.Add();
            _table[slot].Id = new TaskId(default, (uint)i);
            _table[slot].Place = TaskPlace.AtWorker;
            _table[slot].EstimateMicroseconds = 10;
            _slots.Add(slot);
            _sent.Add(slot);
        }
    }

    [Fact]
    public void What_has_not_started_comes_back_in_order()
    {
        _sent.TakeBack(before: 2, after: 2, _queue);
        _sent.Count.ShouldBe(2);
        Queued().ShouldBe(_slots[2..]);
        _sent.InDoubt.ShouldBeFalse();
        _sent.HeldToOne.ShouldBeFalse();
        _sent.Remove(_slots[0]);
        _sent.HeldToOne.ShouldBe(_sent.PendingMicroseconds > 1000);
    }

    [Fact]
    public void A_task_taken_up_meanwhile_is_in_doubt_until_it_is_answered()
    {
        _sent.Remove(_slots[0]);
        _sent.Remove(_slots[1]);
        _sent.TakeBack(before: 2, after: 4, _queue);
        Queued().ShouldBe([_slots[2], _slots[4], _slots[5]]);
        _sent.InDoubt.ShouldBeTrue();
        _sent.Resolve(started: 4, forgotten: 1, _queue).ShouldBeFalse();
        _sent.InDoubt.ShouldBeTrue();
        _sent.Remove(_slots[3]);
        _sent.InDoubt.ShouldBeFalse();
        _sent.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(4ul, 2ul)]
    [InlineData(6ul, 4ul)]
    public void A_task_in_doubt_that_was_forgotten_comes_back(ulong started, ulong forgotten)
    {
        _sent.Remove(_slots[0]);
        _sent.Remove(_slots[1]);
        _sent.TakeBack(before: 2, after: 4, _queue);
        _sent.Resolve(started, forgotten, _queue).ShouldBeTrue("whoever is told feeds a worker");
        _sent.InDoubt.ShouldBeFalse();
        _sent.Count.ShouldBe(0);
        Queued().Order().ShouldBe(_slots[2..]);
    }

    [Fact]
    public void The_queue_goes_by_priority_and_then_by_arrival()
    {
        var queue = new TaskQueue(_table);
        foreach (var (slot, priority) in new[] { (0, 1), (1, 5), (2, 1), (3, 9), (4, 5) })
        {
            _table[slot].Priority = (byte)priority;
            queue.AddLast(slot);
        }

        queue.Remove(4);
        queue.AddFirst(4);
        queue.Last.ShouldBe(2);
        var order = new List<int>();
        while (queue.First is var slot && slot >= 0)
        {
            order.Add(slot);
            queue.Remove(slot);
        }

        order.ShouldBe([3, 4, 1, 0, 2]);
        queue.Count.ShouldBe(0);
    }

    private List<int> Queued()
    {
        var slots = new List<int>();
        for (var slot = _queue.First; slot >= 0; slot = _table[slot].Next)
            slots.Add(slot);
        return slots;
    }
}
