using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>One manager process as the loop sees it; it outlives its connections. Touched on the loop only.</summary>
internal sealed class ManagerPeer(int number, ManagerHello hello)
{
    /// <summary>The core's number of it.</summary>
    public int Number { get; } = number;

    public ManagerHello Hello { get; } = hello;

    /// <summary>The connection it has now; null while it is away.</summary>
    public ManagerConnection? Connection { get; set; }

    /// <summary>What frames from and to it carry as their destination: 0 unless it is behind a leader.</summary>
    public uint Destination { get; private set; }

    /// <summary>Functions and owners it was told of on this connection, by number.</summary>
    public NumberSet FunctionsSent { get; } = new();

    public NumberSet OwnersSent { get; } = new();

    public List<InventoryEntry> Inventory { get; } = [];

    public bool InventoryDone { get; set; }

    public Dictionary<TaskId, PartialResult> Partial { get; } = [];

    /// <summary>Every result up to this mark of the manager is durable.</summary>
    public ulong DurableMark { get; set; }

    /// <summary>What the manager was last told of that.</summary>
    public ulong AcknowledgedMark { get; set; }

    /// <summary>What it last said about itself.</summary>
    public ManagerReport Report { get; set; } = new();

    /// <summary>Of the function that it was sent last.</summary>
    public ExecutionCount? Runs { get; set; }

    /// <summary>Whether it is on the turn's list of those to flush.</summary>
    public bool Dirty { get; set; }

    public void Attach(ManagerConnection connection, uint destination)
    {
        Connection = connection;
        Destination = destination;
        connection.Members.Set(destination, this);
        Inventory.Clear();
        InventoryDone = false;
        FunctionsSent.Clear();
        OwnersSent.Clear();
        AcknowledgedMark = 0;
        DropPartial();
    }

    /// <summary>Its connection is none of it any more; what it had half sent is dropped.</summary>
    public void Detach()
    {
        Connection?.Members.Remove(Destination);
        Connection = null;
        DropPartial();
    }

    private void DropPartial()
    {
        foreach (var partial in Partial.Values)
            partial.Release();
        Partial.Clear();
    }
}
