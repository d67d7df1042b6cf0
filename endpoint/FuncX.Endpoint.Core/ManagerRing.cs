namespace FuncX.Endpoint.Core;

/// <summary>A ring of managers, chained through their records; whoever was served goes to its end.</summary>
internal struct ManagerRing
{
    public int Head;
    public int Count;

    public static ManagerRing Empty => new() { Head = -1 };

    public void AddLast(ManagerRecord[] managers, int manager)
    {
        ref var record = ref managers[manager];
        if (Head < 0)
        {
            Head = record.Next = record.Previous = manager;
        }
        else
        {
            ref var head = ref managers[Head];
            record.Next = Head;
            record.Previous = head.Previous;
            managers[head.Previous].Next = manager;
            head.Previous = manager;
        }

        Count++;
    }

    public void Remove(ManagerRecord[] managers, int manager)
    {
        ref var record = ref managers[manager];
        if (Count == 1)
        {
            Head = -1;
        }
        else
        {
            managers[record.Previous].Next = record.Next;
            managers[record.Next].Previous = record.Previous;
            if (Head == manager)
                Head = record.Next;
        }

        Count--;
    }
}
