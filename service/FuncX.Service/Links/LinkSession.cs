using FuncX.Contracts.V1;
using FuncX.Service.Tasks;

namespace FuncX.Service.Links;

/// <summary>
/// One link of an endpoint, without its wire: credit, and the queue of what has to be sent. The turn gives it work; one sender takes. Tasks in the queue are
/// bounded by the endpoint's own credit, cancels by the tasks that it was sent or says it holds (each is told once), and acknowledgements are one number.
/// </summary>
public sealed class LinkSession(int owner, string ownerName, string instance, string version)
{
    private readonly object _gate = new();
    private readonly Queue<LinkItem> _items = new();
    private readonly ResultSignal _signal = new();
    private readonly Lock _wire = new();
    private Action? _abort;
    private ulong _acknowledge;
    private ulong _spentTasks;
    private ulong _spentBytes;
    private long _lastHeard;

    /// <summary>The user whose endpoint this is.</summary>
    public int Owner { get; } = owner;

    public string OwnerName { get; } = ownerName;

    /// <summary>The endpoint process.</summary>
    public string Instance { get; } = instance;

    public string Version { get; } = version;

    /// <summary>Lost executions that end a task there, whatever it asked for.</summary>
    public ushort MaxAttempts { get; init; } = ushort.MaxValue;

    /// <summary>Set by the turn that opens the link.</summary>
    public EndpointState? Endpoint { get; internal set; }

    public uint Epoch { get; internal set; }

    /// <summary>The same process had the link before: what it does not hold it never got.</summary>
    public bool SameInstance { get; internal set; }

    /// <summary>The inventory is complete and worked in; tasks may be sent.</summary>
    public bool Reconciled { get; internal set; }

    /// <summary>Why the link ended; null while it is open.</summary>
    public string? Ended { get; private set; }

    /// <summary>What the endpoint last said of itself.</summary>
    public EndpointStatus? Status { get; set; }

    /// <summary>Unix microseconds.</summary>
    public long LastHeard
    {
        get => Volatile.Read(ref _lastHeard);
        set => Volatile.Write(ref _lastHeard, value);
    }

    /// <summary>What the endpoint takes in all since the link was opened. Owned by the turn.</summary>
    public ulong CreditTasks { get; internal set; }

    public ulong CreditBytes { get; internal set; }

    /// <summary>The endpoint stops and takes no more tasks. Owned by the turn.</summary>
    public bool Draining { get; internal set; }

    public bool HasCredit => _spentTasks < CreditTasks && _spentBytes < CreditBytes && !Draining && Ended is null;

    /// <summary>Takes credit for one frame. The last one may pass the bytes' limit: else a task larger than the window would wait for ever.</summary>
    public bool TrySpend(long frameBytes)
    {
        if (!HasCredit)
            return false;
        _spentTasks++;
        _spentBytes += (ulong)frameBytes;
        return true;
    }

    /// <summary>Puts something in line; <see cref="Wake"/> tells the sender.</summary>
    internal void Post(LinkItem item)
    {
        lock (_gate)
        {
            if (item.Kind == LinkItemKind.Acknowledge)
                _acknowledge = Math.Max(_acknowledge, item.Sequence);
            else
                _items.Enqueue(item);
        }
    }

    public bool TryTake(out LinkItem item)
    {
        lock (_gate)
        {
            if (_items.TryDequeue(out item))
                return true;
            item = LinkItem.Acknowledge(_acknowledge);
            _acknowledge = 0;
            return item.Sequence > 0;
        }
    }

    /// <summary>What breaks the connection off, whether or not its peer reads; null once the call has ended.</summary>
    internal void Attach(Action? abort)
    {
        lock (_wire)
            _abort = abort;
    }

    /// <summary>Breaks the connection off.</summary>
    internal void Abort()
    {
        lock (_wire)
            _abort?.Invoke();
    }

    /// <summary>Completes when there may be something to send, or the link has ended.</summary>
    public ValueTask<bool> WaitAsync() => _signal.WaitAsync();

    internal void Wake(bool inline) => _signal.Raise(inline);

    /// <summary>Ends the link: the sender stops after what is in line.</summary>
    internal void End(string reason)
    {
        Ended ??= reason;
        _signal.Raise(inline: false);
    }
}
