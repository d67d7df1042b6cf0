namespace FuncX.Endpoint.Core;

/// <summary>All tasks of the endpoint: an array of slots and a list of free ones. A slot's number is the task's ticket.</summary>
internal sealed class TaskTable
{
    public const int None = -1;

    private TaskSlot[] _slots = new TaskSlot[1024];
    private int _used;
    private int _free = None;

    /// <summary>Tasks in the table.</summary>
    public int Count { get; private set; }

    /// <summary>Slots that were ever used: the bound of a scan.</summary>
    public int Used => _used;

    public ref TaskSlot this[int ticket] => ref _slots[ticket];

    public int Take()
    {
        Count++;
        if (_free != None)
        {
            var ticket = _free;
            _free = _slots[ticket].Next;
            return ticket;
        }

        if (_used == _slots.Length)
            Array.Resize(ref _slots, _slots.Length * 2);
        return _used++;
    }

    public void Release(int ticket)
    {
        ref var slot = ref _slots[ticket];
        slot.Place = TaskPlace.Nowhere;
        slot.Next = _free;
        _free = ticket;
        Count--;
    }
}
