using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>All tasks of the node by slot. A slot's number is the ticket in the frames between manager and worker.</summary>
internal sealed class TaskTable
{
    private TaskRecord[] _records = new TaskRecord[256];
    private int _used;
    private int _free = -1;
    private Dictionary<TaskId, List<int>>? _byId;

    public int Count { get; private set; }

    /// <summary>Slots ever used: the bound of a scan.</summary>
    public int Slots => _used;

    public ref TaskRecord this[int slot] => ref _records[slot];

    public bool Holds(uint slot) => slot < (uint)_used && _records[slot].Place != TaskPlace.Free;

    public int Add()
    {
        int slot;
        if (_free >= 0)
        {
            slot = _free;
            _free = _records[slot].Next;
        }
        else
        {
            if (_used == _records.Length)
                Array.Resize(ref _records, _used * 2);
            slot = _used++;
        }

        Count++;
        _byId = null;
        return slot;
    }

    /// <summary>Frees the slot and its hold on the slab.</summary>
    public void Remove(int slot)
    {
        ref var record = ref _records[slot];
        record.Slab!.Release();
        record = default;
        record.Next = _free;
        _free = slot;
        Count--;
    }

    /// <summary>
    /// Slots of a task id (several when attempts met here; some may be free again since). The index is built at the first question after a task came: cancels are rare and
    /// come in runs, and an index that is kept would cost every task.
    /// </summary>
    public IReadOnlyList<int> Find(TaskId id)
    {
        if (_byId is null)
        {
            _byId = new Dictionary<TaskId, List<int>>(Count);
            for (var slot = 0; slot < _used; slot++)
            {
                if (_records[slot].Place == TaskPlace.Free)
                    continue;
                if (_byId.TryGetValue(_records[slot].Id, out var slots))
                    slots.Add(slot);
                else
                    _byId[_records[slot].Id] = [slot];
            }
        }

        return _byId.TryGetValue(id, out var found) ? found : [];
    }
}
