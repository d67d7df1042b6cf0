namespace FuncX.Endpoint.Core;

/// <summary>A list of tasks chained through their slots: adding and removing anywhere cost the same and allocate nothing.</summary>
internal struct TaskList
{
    public int Head;
    public int Tail;
    public int Count;

    public static TaskList Empty => new() { Head = TaskTable.None, Tail = TaskTable.None };

    public void AddLast(TaskTable table, int ticket)
    {
        ref var slot = ref table[ticket];
        slot.Next = TaskTable.None;
        slot.Previous = Tail;
        if (Tail == TaskTable.None)
            Head = ticket;
        else
            table[Tail].Next = ticket;
        Tail = ticket;
        Count++;
    }

    public void AddFirst(TaskTable table, int ticket)
    {
        ref var slot = ref table[ticket];
        slot.Previous = TaskTable.None;
        slot.Next = Head;
        if (Head == TaskTable.None)
            Tail = ticket;
        else
            table[Head].Previous = ticket;
        Head = ticket;
        Count++;
    }

    public void Remove(TaskTable table, int ticket)
    {
        ref var slot = ref table[ticket];
        if (slot.Previous == TaskTable.None)
            Head = slot.Next;
        else
            table[slot.Previous].Next = slot.Next;
        if (slot.Next == TaskTable.None)
            Tail = slot.Previous;
        else
            table[slot.Next].Previous = slot.Previous;
        Count--;
    }
}
