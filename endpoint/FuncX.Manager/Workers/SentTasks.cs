using FuncX.Manager.Engine;
using FuncX.Manager.Pools;

namespace FuncX.Manager.Workers;

/// <summary>
/// The tasks a worker was sent, numbered from 0 in that order, and the taking back of those it has not started (protocol/README.md).
/// Answers may come in any order. Plain state: no socket, no clock.
/// </summary>
internal sealed class SentTasks(TaskTable table)
{
    private int[] _slots = new int[16];
    private ulong _holes;
    private ulong _doubt = ulong.MaxValue;
    private ulong _holesBeforeDoubt;

    /// <summary>Number of the oldest that may be unanswered.</summary>
    public ulong Begin { get; private set; }

    /// <summary>Number the next one gets.</summary>
    public ulong Next { get; private set; }

    /// <summary>Unanswered ones.</summary>
    public int Count { get; private set; }

    /// <summary>Their estimates together.</summary>
    public long PendingMicroseconds { get; private set; }

    /// <summary>One task is left of which it is not known yet whether the worker runs it or has forgotten it.</summary>
    public bool InDoubt => _doubt != ulong.MaxValue;

    /// <summary>Its running task is long: nothing is sent behind it.</summary>
    public bool HeldToOne => PendingMicroseconds >= NodeFunction.Unknown && Count <= 1;

    /// <summary>Slot of the oldest unanswered one; there is one.</summary>
    public int First => SlotOf(Begin);

    public int SlotOf(ulong number) => _slots[(int)(number & (ulong)(_slots.Length - 1))];

    public void Add(int slot)
    {
        if (Next - Begin == (ulong)_slots.Length)
            Grow();
        ref var task = ref table[slot];
        task.WorkerNumber = Next;
        _slots[(int)(Next & (ulong)(_slots.Length - 1))] = slot;
        Next++;
        Count++;
        PendingMicroseconds += task.EstimateMicroseconds;
    }

    /// <summary>It was answered.</summary>
    public void Remove(int slot)
    {
        var number = table[slot].WorkerNumber;
        if (number == _doubt)
            _doubt = ulong.MaxValue;
        Clear(number, slot);
    }

    /// <summary>
    /// Puts what the worker will not run back into the queue, in order.
    /// </summary>
    /// <param name="before">What the worker had started before the range [before, next) was set.</param>
    /// <param name="after">What it had started after; every answer given until then has been taken.</param>
    /// <param name="queue">Where they go.</param>
    public void TakeBack(ulong before, ulong after, TaskQueue queue)
    {
        for (var number = Next; number-- > before && number >= Begin;)
        {
            var slot = SlotOf(number);
            if (slot < 0)
                continue;

            // Taken up while the range was being set: the worker saw it, or not. Those it has passed without an answer it forgot.
            if (number + 1 == after)
            {
                _doubt = number;
                continue;
            }

            GiveBack(number, slot, queue);
        }

        if (InDoubt)
        {
            _holesBeforeDoubt = _holes;
            for (var number = _doubt + 1; number < Next; number++)
                _holesBeforeDoubt--;
        }

        // Whatever runs now runs longer than it was thought to.
        if (Count > 0)
        {
            ref var running = ref table[First];
            PendingMicroseconds += NodeFunction.Unknown - running.EstimateMicroseconds;
            running.EstimateMicroseconds = NodeFunction.Unknown;
        }
    }

    /// <summary>Decides the one in doubt, if what the worker has said since allows it; every answer given until then has been taken.</summary>
    /// <returns>True when it went back into the queue.</returns>
    public bool Resolve(ulong started, ulong forgotten, TaskQueue queue)
    {
        if (!InDoubt || (started <= _doubt + 1 && forgotten <= _holesBeforeDoubt))
            return false;
        var number = _doubt;
        _doubt = ulong.MaxValue;
        GiveBack(number, SlotOf(number), queue);
        return true;
    }

    private void GiveBack(ulong number, int slot, TaskQueue queue)
    {
        Clear(number, slot);
        _holes++;
        table[slot].Worker = null;
        queue.AddFirst(slot);
    }

    private void Clear(ulong number, int slot)
    {
        _slots[(int)(number & (ulong)(_slots.Length - 1))] = -1;
        Count--;
        PendingMicroseconds -= table[slot].EstimateMicroseconds;
        while (Begin < Next && SlotOf(Begin) < 0)
            Begin++;
    }

    private void Grow()
    {
        var larger = new int[_slots.Length * 2];
        for (var number = Begin; number < Next; number++)
            larger[(int)(number & (ulong)(larger.Length - 1))] = SlotOf(number);
        _slots = larger;
    }
}
