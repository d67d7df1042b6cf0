using FuncX.Service.Links;

namespace FuncX.Service.Tasks;

/// <summary>What the service knows of an endpoint's work. Owned by the turn.</summary>
public sealed class EndpointState(int number)
{
    private readonly Dictionary<int, OwnerQueue> _queues = [];
    private readonly Queue<int> _turns = new();

    public int Number { get; } = number;

    /// <summary>Number of its newest link; durable before the endpoint hears of it.</summary>
    public uint Epoch { get; set; }

    /// <summary>The endpoint process that opened the newest link.</summary>
    public string Instance { get; set; } = "";

    /// <summary>Lost executions that end a task on this endpoint, whatever it asked for; said with each hello, so before any loss.</summary>
    public ushort MaxAttempts { get; set; } = ushort.MaxValue;

    /// <summary>The open link; null: offline.</summary>
    public LinkSession? Link { get; set; }

    public long Queued { get; set; }

    public long Dispatched { get; set; }

    public bool Deleted { get; set; }

    /// <summary>Batches with unfinished tasks.</summary>
    public HashSet<Batch> Unfinished { get; } = [];

    /// <summary>Sent tasks whose users want them gone.</summary>
    public List<(Batch Batch, int Index)> CancelsAsked { get; } = [];

    /// <summary>Stands in the turn's list of endpoints that may get work.</summary>
    public bool Ready { get; set; }

    public void Enqueue(Run run, bool front)
    {
        var owner = run.Batch.Key.Owner;
        if (!_queues.TryGetValue(owner, out var queue))
            _queues.Add(owner, queue = new OwnerQueue());
        if (queue.IsEmpty)
            _turns.Enqueue(owner);
        if (front)
            queue.Prepend(run);
        else
            queue.Append(run);
    }

    /// <summary>The run of the owner whose turn it is.</summary>
    public bool TryPeek(out Run run)
    {
        while (_turns.TryPeek(out var owner))
        {
            if (_queues[owner].TryPeek(out run))
                return true;
            _turns.Dequeue();
            _queues.Remove(owner);
        }

        run = default;
        return false;
    }

    /// <summary>Gives the next owner its turn.</summary>
    public void Rotate()
    {
        if (_turns.Count > 1)
            _turns.Enqueue(_turns.Dequeue());
    }
}
